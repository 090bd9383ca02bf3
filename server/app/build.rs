//! Rebuilds when the page was built anew: the embedded files are not sources cargo knows of.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // What is not there counts as changed each time, and a fuzzer, which needs no page, would be built anew for every target.
    if cfg!(not(feature = "fuzzing")) {
        println!("cargo::rerun-if-changed=../../web/dist");
    }
}
