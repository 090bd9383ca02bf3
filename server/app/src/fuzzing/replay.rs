//! What the fuzzer found worth keeping, on stable.

use std::{
    collections::BTreeSet,
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

use super::TARGETS;

/// A corpus is read by whoever clones the repository: the most files of one, and the most bytes of all of them.
const FILES: usize = 200;
const BYTES: usize = 200 << 10;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The names of what lies in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("a plain name");
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| name(entry.expect("readable"))).collect()
}

#[test]
fn every_file_of_every_corpus_keeps_every_promise() {
    for (name, body) in TARGETS {
        let corpus = fuzz().join("corpus").join(name);
        let (files, mut bytes) = (names(&corpus), 0);
        for file in &files {
            let data = fs::read(corpus.join(file)).expect("readable");
            bytes += data.len();
            assert!(
                catch_unwind(|| body(&data)).is_ok(),
                "fuzz/corpus/{name}/{file} breaks a promise of {name}"
            );
        }
        assert!(
            (1..=FILES).contains(&files.len()) && bytes <= BYTES,
            "{name}: {} files, {bytes} bytes",
            files.len()
        );
    }
}

/// The programs are not built on stable: so they hold nothing that could be wrong.
#[test]
fn every_target_has_a_program_and_a_corpus_and_nothing_else_has() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&fuzz().join("corpus")), targets, "fuzz/corpus");
    let files: BTreeSet<_> = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets")), files, "fuzz/fuzz_targets");
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("readable");
    assert_eq!(manifest.matches("[[bin]]").count(), targets.len(), "fuzz/Cargo.toml");
    for name in &targets {
        let bin = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&bin), "fuzz/Cargo.toml: {bin}");
        let program = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).expect("readable");
        let expected = format!(
            "#![no_main]\n\nlibfuzzer_sys::fuzz_target!(|data: &[u8]| sockscope::fuzzing::{name}(data));\n"
        );
        assert_eq!(program, expected, "{name}");
    }
}
