//! Shows randomness: 32 bytes from the raw call, in hexadecimal, and two hashes whose keys `std` drew by itself.

use std::hash::{BuildHasher, RandomState};

fn main() {
    let mut bytes = [0; 32];
    guests::random_get(&mut bytes).unwrap_or_else(|errno| guests::fail("random_get", errno));
    let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("bytes {hexadecimal}");
    for _ in 0..2 {
        println!("hash {:016x}", RandomState::new().hash_one("the same every time"));
    }
}
