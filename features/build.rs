//! Nothing: present so that build-dependencies are resolved for the host too.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
