//! The raw calls as proxy-wasm ABI 0.2.1 declares them, and the two ways in which bytes cross over.

use crate::{Failure, Result};

pub(crate) type Status = u32;

unsafe extern "C" {
    pub(crate) fn proxy_log(level: u32, message: *const u8, size: usize) -> Status;
    pub(crate) fn proxy_get_log_level(level: *mut u32) -> Status;
    pub(crate) fn proxy_get_current_time_nanoseconds(time: *mut u64) -> Status;
    pub(crate) fn proxy_set_tick_period_milliseconds(period: u32) -> Status;
    pub(crate) fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> Status;
    pub(crate) fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        size: usize,
        data: *const u8,
        data_size: usize,
    ) -> Status;
    pub(crate) fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> Status;
    pub(crate) fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> Status;
    pub(crate) fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> Status;
    pub(crate) fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> Status;
    pub(crate) fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> Status;
    pub(crate) fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize)
    -> Status;
    pub(crate) fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> Status;
    pub(crate) fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> Status;
    pub(crate) fn proxy_continue_stream(stream: u32) -> Status;
    pub(crate) fn proxy_close_stream(stream: u32) -> Status;
    pub(crate) fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> Status;
    pub(crate) fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> Status;
    pub(crate) fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> Status;
    pub(crate) fn proxy_increment_metric(id: u32, offset: i64) -> Status;
    pub(crate) fn proxy_record_metric(id: u32, value: u64) -> Status;
}

/// A status as a result.
pub(crate) fn checked(status: Status) -> Result<()> {
    if status == 0 { Ok(()) } else { Err(failure(status)) }
}

/// What a status other than 0 says.
pub(crate) fn failure(status: Status) -> Failure {
    match status {
        1 => Failure::NotFound,
        2 => Failure::BadArgument,
        7 => Failure::Empty,
        8 => Failure::CasMismatch,
        10 => Failure::InternalFailure,
        other => Failure::Other(other),
    }
}

/// Makes a call that hands bytes over, and takes them.
///
/// The host gets memory for them from `proxy_on_memory_allocate`, which the SDK exports: a boxed slice of just that size.
pub(crate) fn taken(call: impl FnOnce(*mut *mut u8, *mut usize) -> Status) -> Result<Vec<u8>> {
    let mut data: *mut u8 = std::ptr::null_mut();
    let mut size: usize = 0;
    checked(call(&raw mut data, &raw mut size))?;
    if data.is_null() || size == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the host filled in a block that it had from `proxy_on_memory_allocate(size)`, a boxed slice of `size` bytes
    // that nothing else owns. ABI 0.2.1 hands its ownership over.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}
