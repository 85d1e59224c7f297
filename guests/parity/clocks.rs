//! Clocks: as they are, with coarse steps, and standing still.

use super::{Clock, Scenario, Stage, Wait, scenario};

const LIVE: &str = "clocks";
const COARSE: &str = "clocks-coarse";
const FROZEN: &str = "clocks-frozen";
const FROZEN_COARSE: &str = "clocks-frozen-coarse";

pub const SCENARIOS: &[Scenario] = &[
    scenario(LIVE, "steps", resolutions),
    scenario(LIVE, "time goes on", goes_on),
    scenario(LIVE, "sleep", sleeps),
    scenario(LIVE, "wait for several", several),
    scenario(COARSE, "steps", resolutions),
    scenario(COARSE, "time goes on", goes_on),
    scenario(COARSE, "time goes on in steps", in_steps),
    scenario(COARSE, "sleep", sleeps),
    scenario(COARSE, "wait for several", several),
    scenario(FROZEN, "steps", resolutions),
    scenario(FROZEN, "time stands still", |stage| still(stage, 1)),
    scenario(FROZEN, "wait for several", several),
    scenario(FROZEN, "sleep for next to nothing", short),
    scenario(FROZEN, "input that is there", input),
    scenario(FROZEN, "sleep for ever", ever),
    scenario(FROZEN_COARSE, "steps", resolutions),
    scenario(FROZEN_COARSE, "time stands still", |stage| still(stage, MILLISECOND)),
    scenario(FROZEN_COARSE, "wait for several", several),
    scenario(FROZEN_COARSE, "input that is there", input),
    scenario(FROZEN_COARSE, "sleep for ever", ever),
];

const MILLISECOND: u64 = 1_000_000;

fn resolutions(stage: &Stage<'_>) {
    stage.line(format_args!("wall clock: {}", stage.wasi.resolution(Clock::Realtime)));
    stage.line(format_args!("monotonic clock: {}", stage.wasi.resolution(Clock::Monotonic)));
}

fn goes_on(stage: &Stage<'_>) {
    const YEAR_2020: u64 = 1_577_836_800_000_000_000;
    stage.line(format_args!("it is after 2020: {}", stage.wasi.now(Clock::Realtime) > YEAR_2020));
    // A guest's monotonic clock begins with it.
    stage.line(format_args!("it is early: {}", stage.wasi.now(Clock::Monotonic) < 60_000 * MILLISECOND));
    let mut last = stage.wasi.now(Clock::Monotonic);
    let mut never_back = true;
    for _ in 0..1000 {
        let now = stage.wasi.now(Clock::Monotonic);
        never_back &= now >= last;
        last = now;
    }
    stage.line(format_args!("it never goes back: {never_back}"));
}

fn in_steps(stage: &Stage<'_>) {
    let (mut whole, mut changed) = (true, false);
    let begin = stage.wasi.now(Clock::Monotonic);
    for _ in 0..20 {
        let (wall, monotonic) = (stage.wasi.now(Clock::Realtime), stage.wasi.now(Clock::Monotonic));
        whole &= wall.is_multiple_of(MILLISECOND) && monotonic.is_multiple_of(MILLISECOND);
        changed |= monotonic > begin;
        stage.wasi.poll(&[Wait::For(1)]);
    }
    stage.line(format_args!("whole milliseconds: {whole}, several: {changed}"));
}

/// Never for less than was asked.
fn sleeps(stage: &Stage<'_>) {
    for asked in [0, 1, MILLISECOND / 2, MILLISECOND, 15 * MILLISECOND] {
        for absolute in [false, true] {
            let begin = stage.wasi.now(Clock::Monotonic);
            let wait = if absolute { Wait::Until(begin + asked) } else { Wait::For(asked) };
            let happened = stage.wasi.poll(&[wait]);
            let enough = stage.wasi.now(Clock::Monotonic) - begin >= asked;
            stage.line(format_args!("sleep {asked}, absolute {absolute}: {happened:?}, long enough {enough}"));
        }
    }
    stage.line(format_args!("sleep until the beginning: {:?}", stage.wasi.poll(&[Wait::Until(0)])));
}

fn several(stage: &Stage<'_>) {
    let hour = 3_600_000 * MILLISECOND;
    let now = stage.wasi.now(Clock::Monotonic);
    for waits in [
        &[Wait::For(hour), Wait::For(MILLISECOND)][..],
        &[Wait::For(MILLISECOND), Wait::For(hour), Wait::Until(now)],
        &[Wait::Until(now + hour), Wait::For(0), Wait::Until(0), Wait::For(hour)],
        &[Wait::For(2 * MILLISECOND), Wait::For(u64::MAX), Wait::Until(u64::MAX)],
    ] {
        stage.line(format_args!("happened: {:?}", stage.wasi.poll(waits)));
    }
}

fn both(stage: &Stage<'_>) {
    let (wall, monotonic) = (stage.wasi.now(Clock::Realtime), stage.wasi.now(Clock::Monotonic));
    stage.line(format_args!("wall clock {wall}, monotonic clock {monotonic}"));
}

/// It moves by sleeping, and by exactly that: by so many steps.
fn still(stage: &Stage<'_>, step: u64) {
    both(stage);
    both(stage);
    for steps in [0, 1, 999, 1_000_000, 86_400_000] {
        stage.line(format_args!("sleep for {steps}: {:?}", stage.wasi.poll(&[Wait::For(steps * step)])));
        both(stage);
    }
    let now = stage.wasi.now(Clock::Monotonic);
    for until in [0, now, now + step, now + 5_000_000 * step] {
        stage.line(format_args!("sleep until {until}: {:?}", stage.wasi.poll(&[Wait::Until(until)])));
        both(stage);
    }
    for waits in [
        &[Wait::For(30 * step), Wait::For(20 * step), Wait::For(10 * step), Wait::For(10 * step)][..],
        &[Wait::For(0), Wait::For(10 * step)],
        &[Wait::Until(0), Wait::For(5 * step)],
    ] {
        stage.line(format_args!("happened: {:?}", stage.wasi.poll(waits)));
        both(stage);
    }
}

/// It adds up.
fn short(stage: &Stage<'_>) {
    for asked in [1, 300_000, 300_000, 300_000, 100_000, 1, 999_999, 1_000_000, 1] {
        stage.line(format_args!("sleep {asked}: {:?}", stage.wasi.poll(&[Wait::For(asked)])));
        both(stage);
    }
}

/// To the end of what the clock can count.
fn ever(stage: &Stage<'_>) {
    stage.line(format_args!("happened: {:?}", stage.wasi.poll(&[Wait::For(u64::MAX)])));
    both(stage);
    stage.line(format_args!("happened: {:?}", stage.wasi.poll(&[Wait::For(u64::MAX)])));
    both(stage);
}

/// What is there comes before what time would bring.
fn input(stage: &Stage<'_>) {
    stage.line(format_args!("happened: {:?}", stage.wasi.poll(&[Wait::For(10), Wait::Stdin])));
    both(stage);
}
