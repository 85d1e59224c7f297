//! A guest's memories and tables, charged to its budget together with what the host holds for it.

use turnkey_core::limits::Budget;
use wasmtime::ResourceLimiter;

use crate::link::State;

/// Bytes of the host for one element of a table: a pointer, and its spare room.
const ELEMENT_BYTES: u64 = 16;

impl ResourceLimiter for State {
    /// Growth beyond the limit fails as the standard has it: the guest's `memory.grow` gives −1.
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(grow(&mut self.core.budget, current, desired, 1))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(grow(&mut self.core.budget, current, desired, ELEMENT_BYTES))
    }
}

fn grow(budget: &mut Budget, current: usize, desired: usize, unit_bytes: u64) -> bool {
    let units = desired.saturating_sub(current) as u64;
    budget.take_guest(units.saturating_mul(unit_bytes))
}
