use std::{ffi::CStr, ptr};

use ort::{
    AsPointer as _,
    environment::Environment,
    memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType},
};

/// Bytes of the first block that the arena takes from the system.
const FIRST_BLOCK: usize = 1 << 20;

/// ONNX Runtime's settings for the arena: its documented names, and values.
const SETTINGS: [(&CStr, usize); 3] = [
    // As much as is asked for. The default, the next power of two, takes up to twice that.
    (c"arena_extend_strategy", 1),
    (c"initial_chunk_size_bytes", FIRST_BLOCK),
    // A free block is split for a smaller tensor rather than given away with this much unused.
    (c"max_dead_bytes_per_chunk", 64 << 10),
];

/// Makes one arena for the working memory of all sessions of the environment that are opened from now on, in place
/// of the one before. That one is freed with the last session that uses it.
///
/// An arena spares the page faults of fresh memory for every tensor, which cost as much as the networks
/// themselves. One for each session, the library's default, keeps the largest need of every session for ever; one
/// for all keeps the largest need of what ran at the same time.
pub(crate) fn renew(environment: &Environment) -> ort::Result<()> {
    let info = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Arena, MemoryType::Default)?;
    let api = ort::api();
    let names = SETTINGS.map(|(name, _)| name.as_ptr());
    let values = SETTINGS.map(|(_, value)| value);
    let mut settings = ptr::null_mut();
    // SAFETY: the names are NUL-terminated, both arrays have the length given, and the environment and `info` are
    // alive; the library copies the settings, which are released once.
    unsafe {
        ort::Error::result_from_status((api.CreateArenaCfgV2)(
            names.as_ptr(),
            values.as_ptr(),
            SETTINGS.len(),
            &raw mut settings,
        ))?;
        // Says that there is none the first time, which does not matter.
        drop(ort::Error::result_from_status((api.UnregisterAllocator)(
            environment.ptr().cast_mut(),
            info.ptr(),
        )));
        let made = (api.CreateAndRegisterAllocator)(environment.ptr().cast_mut(), info.ptr(), settings);
        (api.ReleaseArenaCfg)(settings);
        ort::Error::result_from_status(made)
    }
}
