//! Rebuilds when the page was built anew: the embedded files are not sources cargo knows of.

fn main() {
    println!("cargo::rerun-if-changed=../../web/dist");
    println!("cargo::rerun-if-changed=build.rs");
}
