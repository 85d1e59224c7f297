//! Exports functions of many types, for callers that name one and give it arguments; see `wit/reactor.wit`. It has no
//! `wasi:cli/run`.

use std::f64::consts::PI;
use std::sync::atomic::{AtomicU32, Ordering};

use exports::guests::reactor::texts;

wit_bindgen::generate!({ world: "reactor", path: "wit" });

static CALLS: AtomicU32 = AtomicU32::new(0);

struct Reactor;

impl Guest for Reactor {
    fn add(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }

    fn greet(name: String) -> String {
        format!("hello, {name}")
    }

    fn mirror(point: Point) -> Point {
        Point { x: point.x.wrapping_neg(), y: point.y.wrapping_neg() }
    }

    fn area(shape: Shape) -> f64 {
        match shape {
            Shape::Circle(radius) => PI * radius * radius,
            Shape::Rectangle(size) => size.width * size.height,
            Shape::Nothing => 0.0,
        }
    }

    fn sort(mut points: Vec<Point>) -> Vec<Point> {
        points.sort_by_key(|point| i64::from(point.x).pow(2).saturating_add(i64::from(point.y).pow(2)));
        points
    }

    fn turn(direction: Direction) -> Direction {
        match direction {
            Direction::North => Direction::East,
            Direction::East => Direction::South,
            Direction::South => Direction::West,
            Direction::West => Direction::North,
        }
    }

    fn invert(permissions: Permissions) -> Permissions {
        !permissions
    }

    fn longest(texts: Vec<String>) -> Option<String> {
        texts.into_iter().rev().max_by_key(|text| text.chars().count())
    }

    fn character(character: char) -> (char, u32) {
        (character, u32::from(character))
    }

    fn divide(dividend: i32, divisor: i32) -> Result<i32, String> {
        dividend.checked_div(divisor).ok_or_else(|| format!("{dividend} cannot be divided by {divisor}"))
    }

    fn agree(yes: bool) -> Result<(), ()> {
        if yes { Ok(()) } else { Err(()) }
    }

    fn count() -> u32 {
        CALLS.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn print(line: String) {
        println!("{line}");
    }

    fn trap() {
        std::arch::wasm32::unreachable()
    }
}

impl texts::Guest for Reactor {
    fn reverse(text: String) -> String {
        text.chars().rev().collect()
    }
}

export!(Reactor);
