//! A guest's memories and tables, charged to its budget together with what the host holds for it.

use wasmtime::ResourceLimiter;

use crate::link::State;

/// Bytes of the host for one element of a table: a pointer, and its spare room.
const ELEMENT_BYTES: u64 = 16;

impl ResourceLimiter for State {
    /// Growth beyond the limit fails as the standard has it: the guest's `memory.grow` gives −1.
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, maximum, 1))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.give_back();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, maximum, ELEMENT_BYTES))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.give_back();
        Ok(())
    }
}

impl State {
    fn grow(&mut self, current: usize, desired: usize, maximum: Option<usize>, unit_bytes: u64) -> bool {
        self.growing_bytes = 0;
        if maximum.is_some_and(|maximum| desired > maximum) {
            // Its own maximum is in the way: the engine says so, and nothing is taken.
            return true;
        }
        let bytes = (desired.saturating_sub(current) as u64).saturating_mul(unit_bytes);
        let taken = self.core.budget.take_guest(bytes);
        self.growing_bytes = if taken { bytes } else { 0 };
        taken
    }

    /// The engine could not do what it had been allowed.
    fn give_back(&mut self) {
        self.core.budget.give_guest(std::mem::take(&mut self.growing_bytes));
    }
}
