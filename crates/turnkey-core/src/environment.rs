//! The program's arguments and environment variables, as bytes: neither is promised to be text.

use std::sync::Arc;

/// What a guest is told when it asks for its arguments and its environment.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The arguments, the program's own name first.
    pub arguments: Arc<[Vec<u8>]>,
    /// The variables, each as `NAME=VALUE`, in the order granted.
    pub variables: Arc<[Vec<u8>]>,
}
