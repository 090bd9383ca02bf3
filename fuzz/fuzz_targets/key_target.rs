#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockscope::fuzzing::key_target(data));
