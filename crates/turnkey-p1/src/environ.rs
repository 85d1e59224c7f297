//! `environ_get`, `environ_sizes_get`.

use crate::args::{write_sizes, write_strings};
use crate::call::Call;
use crate::fault::Outcome;

pub(crate) fn environ_get(call: &mut Call<'_>, environ: u32, environ_buf: u32) -> Outcome {
    write_strings(&mut call.memory, &call.host.environment.variables, environ, environ_buf)
}

pub(crate) fn environ_sizes_get(call: &mut Call<'_>, environc: u32, environ_buf_size: u32) -> Outcome {
    write_sizes(&mut call.memory, &call.host.environment.variables, environc, environ_buf_size)
}
