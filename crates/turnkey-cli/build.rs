//! How the binary is linked: small. Functions that came out the same are there once, and the places that the loader has to fill in are
//! written as a bitmap, which is also less to read at each start.
//!
//! Nothing here compares the addresses of functions, which Rust does not promise to be different.
//!
//! Only where Rust's own linker is the default one, which knows both.
#![allow(clippy::disallowed_methods, reason = "a build script is told of its target by a variable")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_default();
    if target == "x86_64-unknown-linux-gnu" {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
