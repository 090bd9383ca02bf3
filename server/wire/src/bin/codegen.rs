//! Writes the files generated from the wire types, or checks that they are fresh.

use std::{fs, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = [
        ("web/src/wire/generated.ts", sockscope_wire::codegen::typescript()),
        ("docs/openapi.json", sockscope_wire::codegen::openapi()),
    ];
    let check = match std::env::args().nth(1).as_deref() {
        Some("check") => true,
        Some("write") => false,
        _ => {
            eprintln!("usage: codegen write|check");
            return ExitCode::from(2);
        }
    };
    let mut fresh = true;
    for (name, text) in files {
        let path = root.join(name);
        if fs::read_to_string(&path).is_ok_and(|there| there == text) {
            continue;
        }
        if check {
            eprintln!("{name} is stale: run `cargo xtask codegen`");
            fresh = false;
        } else if let Err(error) =
            path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text))
        {
            eprintln!("cannot write {name}: {error}");
            return ExitCode::FAILURE;
        } else {
            eprintln!("wrote {name}");
        }
    }
    if fresh { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
