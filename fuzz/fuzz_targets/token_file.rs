#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockscope::fuzzing::token_file(data));
