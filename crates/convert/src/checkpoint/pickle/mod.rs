//! A pickle machine that only builds data.
//!
//! Values live in one arena and name each other by index, so that a pickle can neither nest nor loop so deeply that
//! looking at it, or dropping it, would overflow the stack. What a pickle may call is listed in [`globals`]; the calls
//! become descriptions of tensors, and nothing is ever executed.
mod globals;
mod input;
mod machine;

pub(super) use globals::TensorRecord;
pub(super) use machine::{Handle, Tree, Value, load};
