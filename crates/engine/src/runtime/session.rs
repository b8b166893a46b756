use std::{
    ffi::CString,
    path::{Path, PathBuf},
    ptr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use ort::{
    AsPointer as _,
    session::{
        RunOptions, Session as OrtSession,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
    value::{DynValue, TensorElementType, ValueType},
};
use viewfinder_vision::{Data, Network, NetworkError, Tensor, View};

use crate::runtime::{
    cores::Cores,
    library::Library,
    memory::trim,
    provider::{AUTO_ORDER, Device, is_built_in, plain, providers, wants_one_shape},
};

/// Models up to this size may get a second session for lone pictures; a copy of a larger one is not worth its
/// memory.
const WIDE_LIMIT_BYTES: u64 = 64 << 20;

/// Inputs of more values than this (a picture of 1.4 megapixels) are large: only one is worked on at a time, and its
/// working memory is given back. A text detector needs about 110 bytes for each pixel, which is what bounds the
/// memory of the whole program.
const LARGE_INPUT: usize = 4_200_000;

/// After so many calls of a network, free memory of arena and heap is given back: with inputs of ever new shapes it
/// would be split into pieces that fit less and less.
const CALLS_PER_SHRINKAGE: usize = 32;

/// How a network's calls come, which decides whether a second session pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// One for each picture: on a lone picture it should use every core.
    OnePerPicture,
    /// Many small ones that already spread over the cores, or such as only ever come from a crowd.
    Many,
}

/// How sessions are made.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// The accelerator asked for.
    pub device: Device,
    /// Which of several accelerators.
    pub device_id: u32,
    /// May the CPU stand in for an accelerator that does not work?
    pub cpu_fallback: bool,
    /// Threads of one network call while several pictures are being worked on.
    pub threads: usize,
}

/// Why a network could not be opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SessionError {
    /// The accelerator does not work here, and the CPU may not stand in.
    #[error("device {device} cannot be used: {reason}")]
    Device {
        /// What was asked for.
        device: Device,
        /// What went wrong.
        reason: String,
    },
    /// The file is not a model that this library can run.
    #[error("{} does not load: {reason}", file.display())]
    Model {
        /// The model.
        file: PathBuf,
        /// The library's words.
        reason: String,
    },
}

/// Makes sessions on the execution provider that was chosen.
#[derive(Clone)]
pub struct Runtime {
    library: Library,
    device: Device,
    fallback: Option<String>,
    config: RuntimeConfig,
    cores: Arc<Cores>,
    shared: Arc<Shared>,
}

/// What all sessions share.
struct Shared {
    /// Held while a large input is worked on.
    large: Mutex<()>,
    /// Options of a call that gives free blocks of the arena back when it is done.
    shrinkage: RunOptions,
}

impl Runtime {
    /// Chooses the execution provider.
    ///
    /// `auto` takes the best accelerator the library was built for and that accepts a session; anything else is
    /// used or refused, unless the configuration lets the CPU stand in.
    pub fn new(library: Library, config: RuntimeConfig, cores: Arc<Cores>) -> Result<Self, SessionError> {
        let shared = Shared::new()
            .map_err(|error| SessionError::Device { device: config.device, reason: error.to_string() })?;
        let shared = Arc::new(shared);
        let mut runtime = Self { library, device: Device::Cpu, fallback: None, config, cores, shared };
        match runtime.config.device {
            Device::Cpu => {}
            Device::Auto => {
                let mut refused = Vec::new();
                for &device in AUTO_ORDER {
                    if is_built_in(device) {
                        match runtime.try_device(device) {
                            Ok(()) => {
                                runtime.device = device;
                                break;
                            }
                            Err(reason) => refused.push(format!("{device}: {reason}")),
                        }
                    }
                }
                if !refused.is_empty() {
                    runtime.fallback = Some(refused.join("; "));
                }
            }
            device => {
                let tried = if is_built_in(device) {
                    runtime.try_device(device)
                } else {
                    Err("the ONNX Runtime library was built without it".to_owned())
                };
                match tried {
                    Ok(()) => runtime.device = device,
                    Err(reason) if runtime.config.cpu_fallback => {
                        runtime.fallback = Some(format!("{device}: {reason}"));
                    }
                    Err(reason) => return Err(SessionError::Device { device, reason }),
                }
            }
        }
        Ok(runtime)
    }

    /// The device really in use.
    pub fn device(&self) -> Device {
        self.device
    }

    /// For networks whose inputs have ever new shapes: the same on the CPU, where the device would take longer.
    #[must_use]
    pub fn for_any_shapes(&self) -> Self {
        let device = if wants_one_shape(self.device) { Device::Cpu } else { self.device };
        Self { device, ..self.clone() }
    }

    /// Why the CPU stands in for an accelerator, if it does.
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// The library in use.
    pub fn library(&self) -> &Library {
        &self.library
    }

    fn try_device(&self, device: Device) -> Result<(), String> {
        let builder = SessionBuilder::new(self.library.environment())
            .and_then(|builder| {
                Ok(builder.with_execution_providers(providers(device, self.config.device_id))?)
            })
            .map_err(|error| plain(&error))?;
        // Without cuDNN its provider opens all the same, and then refuses every convolution.
        if device == Device::Cuda { convolve(builder).map_err(|error| plain(&error)) } else { Ok(()) }
    }

    /// Opens a model file.
    pub fn open(&self, file: &Path, calls: Calls) -> Result<Session, SessionError> {
        self.open_source(Source { file, graph: None }, calls)
    }

    /// Opens a `graph`, the bytes of a model, that was made of `file` and may leave its weights there.
    pub fn open_rewritten(&self, file: &Path, graph: &[u8], calls: Calls) -> Result<Session, SessionError> {
        self.open_source(Source { file, graph: Some(graph) }, calls)
    }

    fn open_source(&self, source: Source<'_>, calls: Calls) -> Result<Session, SessionError> {
        let total = self.cores.total();
        let threads = self.config.threads.clamp(1, total);
        let small = std::fs::metadata(source.file).is_ok_and(|meta| meta.len() <= WIDE_LIMIT_BYTES);
        let narrow = self.session(source, threads)?;
        let wide = if self.device == Device::Cpu && calls == Calls::OnePerPicture && threads < total && small
        {
            Some(self.session(source, total)?)
        } else {
            None
        };
        Session::new(narrow, wide, self, threads)
            .map_err(|reason| SessionError::Model { file: source.file.to_owned(), reason })
    }

    fn session(&self, source: Source<'_>, threads: usize) -> Result<OrtSession, SessionError> {
        let build = || -> Result<OrtSession, String> {
            SessionBuilder::new(self.library.environment())
                .and_then(|builder| Ok(builder.with_optimization_level(GraphOptimizationLevel::All)?))
                .and_then(|builder| Ok(builder.with_intra_threads(threads)?))
                .and_then(|builder| Ok(builder.with_inter_threads(1)?))
                // With the pattern on, memory climbs for ever as pictures change shape.
                .and_then(|builder| Ok(builder.with_memory_pattern(false)?))
                .and_then(|builder| Ok(builder.with_env_allocators()?))
                // Weights stay; between them, the arena could not give a block back.
                .and_then(|builder| Ok(builder.with_device_allocated_initializers()?))
                // Idle threads that spin take the core from another picture.
                .and_then(|builder| Ok(builder.with_config_entry("session.intra_op.allow_spinning", "0")?))
                .and_then(|builder| Ok(builder.with_config_entry("session.set_denormal_as_zero", "1")?))
                .and_then(|builder| {
                    Ok(builder.with_execution_providers(providers(self.device, self.config.device_id))?)
                })
                .and_then(|builder| source.commit(builder))
                .map_err(|error| error.to_string())
        };
        build().map_err(|reason| SessionError::Model { file: source.file.to_owned(), reason })
    }
}

/// A model of one convolution by 1 × 1 that doubles a number: input `x`, output `y`, `[1, 1, 1, 1]` each.
const CONVOLUTION: &[u8] = include_bytes!("convolution.onnx");

/// Can such sessions convolve?
fn convolve(mut builder: SessionBuilder) -> ort::Result<()> {
    let mut session = builder.commit_from_memory(CONVOLUTION)?;
    let input = ort::value::Tensor::from_array(([1usize, 1, 1, 1], vec![21.0f32]))?;
    session.run(ort::inputs![input])?;
    Ok(())
}

/// Where a session's model comes from.
#[derive(Clone, Copy)]
struct Source<'a> {
    file: &'a Path,
    /// The graph to use in place of the file's.
    graph: Option<&'a [u8]>,
}

impl Source<'_> {
    fn commit(self, mut builder: SessionBuilder) -> ort::Result<OrtSession> {
        let Some(graph) = self.graph else { return builder.commit_from_file(self.file) };
        let folder = self.file.parent().unwrap_or(Path::new("")).to_string_lossy();
        // Where a model without a file of its own finds weights that it names by file.
        builder
            .with_config_entry("session.model_external_initializers_file_folder_path", folder)?
            .commit_from_memory(graph)
    }
}

impl Shared {
    fn new() -> ort::Result<Self> {
        let mut shrinkage = RunOptions::new()?;
        shrinkage.set("memory.enable_memory_arena_shrinkage", "cpu:0")?;
        Ok(Self { large: Mutex::default(), shrinkage })
    }
}

type Declared = Vec<(String, Vec<Option<usize>>)>;

/// A loaded network.
///
/// On the CPU one session serves all threads at once, which ONNX Runtime documents as safe for `Run` and which
/// saves a copy of the weights for each worker; other providers are called by one thread at a time. Small models
/// that are called once for a picture
/// have a second session that uses every core, for the moments when a single picture is being worked on.
pub struct Session {
    device: Device,
    narrow: OrtSession,
    wide: Option<OrtSession>,
    exclusive: Option<Mutex<()>>,
    cores: Arc<Cores>,
    shared: Arc<Shared>,
    calls: AtomicUsize,
    threads: usize,
    inputs: Declared,
    outputs: Declared,
    input_names: Vec<CString>,
    input_types: Vec<TensorElementType>,
    output_names: Vec<CString>,
}

impl Session {
    fn new(
        narrow: OrtSession,
        wide: Option<OrtSession>,
        runtime: &Runtime,
        threads: usize,
    ) -> Result<Self, String> {
        let declared = |outlets: &[ort::value::Outlet]| -> Declared {
            outlets.iter().map(|outlet| (outlet.name().to_owned(), axes(outlet.dtype()))).collect()
        };
        let names = |outlets: &Declared| -> Result<Vec<CString>, String> {
            outlets.iter().map(|(name, _)| CString::new(name.as_str()).map_err(|e| e.to_string())).collect()
        };
        let (inputs, outputs) = (declared(narrow.inputs()), declared(narrow.outputs()));
        Ok(Self {
            device: runtime.device,
            exclusive: (runtime.device != Device::Cpu).then(|| Mutex::new(())),
            cores: Arc::clone(&runtime.cores),
            shared: Arc::clone(&runtime.shared),
            calls: AtomicUsize::new(0),
            threads,
            input_names: names(&inputs)?,
            input_types: narrow.inputs().iter().map(|outlet| element_type(outlet.dtype())).collect(),
            output_names: names(&outputs)?,
            inputs,
            outputs,
            narrow,
            wide,
        })
    }

    /// What it runs on.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Should its inputs all have the same shape?
    pub fn wants_one_shape(&self) -> bool {
        wants_one_shape(self.device)
    }

    /// ONNX Runtime's `Run` through its C interface: the binding's method wants `&mut self`, which would mean a
    /// copy of the weights for every worker.
    fn call(
        &self,
        session: &OrtSession,
        inputs: &[DynValue],
        options: Option<&RunOptions>,
    ) -> Result<Vec<DynValue>, NetworkError> {
        let api = ort::api();
        let input_names: Vec<_> = self.input_names.iter().map(|name| name.as_ptr()).collect();
        let output_names: Vec<_> = self.output_names.iter().map(|name| name.as_ptr()).collect();
        let values: Vec<_> = inputs.iter().map(ort::AsPointer::ptr).collect();
        let mut results = vec![ptr::null_mut(); output_names.len()];
        // SAFETY: all names are NUL-terminated and outlive the call, the arrays have the lengths given, the
        // values are alive, and results are null so that the library allocates them.
        let status = unsafe {
            (api.Run)(
                session.ptr().cast_mut(),
                options.map_or(ptr::null(), ort::AsPointer::ptr),
                input_names.as_ptr(),
                values.as_ptr(),
                values.len(),
                output_names.as_ptr(),
                output_names.len(),
                results.as_mut_ptr(),
            )
        };
        // SAFETY: the status comes from the call above and is consumed once.
        unsafe { ort::Error::result_from_status(status) }
            .map_err(|error| network_error(&error.to_string()))?;
        results
            .into_iter()
            .map(|value| {
                let value = ptr::NonNull::new(value)
                    .ok_or_else(|| NetworkError::new("the network left an output empty"))?;
                // SAFETY: the value was allocated by this session's run and is owned by nobody else.
                Ok(unsafe { DynValue::from_ptr(value, Some(session.allocator())) })
            })
            .collect()
    }
}

impl Network for Session {
    fn run(&self, inputs: Vec<Tensor>, read: &mut dyn FnMut(&[View<'_>])) -> Result<(), NetworkError> {
        if inputs.len() != self.inputs.len() {
            return Err(NetworkError::new(format!(
                "the network takes {} inputs, {} were given",
                self.inputs.len(),
                inputs.len()
            )));
        }
        let typed = inputs.into_iter().zip(&self.input_types);
        let values = typed.map(|(tensor, kind)| to_value(tensor, *kind)).collect::<Result<Vec<_>, _>>()?;
        let _exclusive =
            self.exclusive.as_ref().map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner));
        let large = values.iter().any(|value| value.shape().num_elements() > LARGE_INPUT);
        let _one = large.then(|| self.shared.large.lock().unwrap_or_else(PoisonError::into_inner));
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let shrink = large || calls % CALLS_PER_SHRINKAGE == CALLS_PER_SHRINKAGE - 1;
        let options = shrink.then_some(&self.shared.shrinkage);
        let others = self.cores.total().saturating_sub(self.threads);
        let outputs = match &self.wide {
            Some(wide) if large || (others > 0 && self.cores.idle() >= others) => {
                let _taken = self.cores.take(others);
                self.call(wide, &values, options)?
            }
            _ => self.call(&self.narrow, &values, options)?,
        };
        let converted = outputs.iter().map(to_f32).collect::<Result<Vec<_>, _>>()?;
        let views: Vec<_> = converted
            .iter()
            .map(|(shape, data)| View { shape: shape.clone(), data: data.as_ref() })
            .collect();
        read(&views);
        drop(views);
        drop(converted);
        drop(outputs);
        if shrink {
            trim();
        }
        Ok(())
    }

    fn metadata(&self, key: &str) -> Option<String> {
        self.narrow.metadata().ok()?.custom(key)
    }

    fn inputs(&self) -> &[(String, Vec<Option<usize>>)] {
        &self.inputs
    }

    fn outputs(&self) -> &[(String, Vec<Option<usize>>)] {
        &self.outputs
    }
}

fn axes(value: &ValueType) -> Vec<Option<usize>> {
    match value {
        ValueType::Tensor { shape, .. } => shape.iter().map(|&extent| usize::try_from(extent).ok()).collect(),
        _ => Vec::new(),
    }
}

fn element_type(value: &ValueType) -> TensorElementType {
    match value {
        ValueType::Tensor { ty, .. } => *ty,
        _ => TensorElementType::Undefined,
    }
}

/// Token ids come in the width their tokenizer's reference uses; exports of the same model differ in what they want.
fn to_value(tensor: Tensor, wanted: TensorElementType) -> Result<DynValue, NetworkError> {
    let shape = tensor.shape;
    let value = match (tensor.data, wanted) {
        (Data::F32(data), TensorElementType::Float16) => {
            let data: Vec<half::f16> = data.into_iter().map(half::f16::from_f32).collect();
            ort::value::Tensor::from_array((shape, data)).map(ort::value::Value::into_dyn)
        }
        (Data::F32(data), _) => {
            ort::value::Tensor::from_array((shape, data)).map(ort::value::Value::into_dyn)
        }
        (Data::I64(data), TensorElementType::Int32) => {
            let data: Vec<i32> = data.into_iter().map(|x| x as i32).collect();
            ort::value::Tensor::from_array((shape, data)).map(ort::value::Value::into_dyn)
        }
        (Data::I64(data), _) => {
            ort::value::Tensor::from_array((shape, data)).map(ort::value::Value::into_dyn)
        }
        (Data::I32(data), TensorElementType::Int64) => {
            let data: Vec<i64> = data.into_iter().map(i64::from).collect();
            ort::value::Tensor::from_array((shape, data)).map(ort::value::Value::into_dyn)
        }
        (Data::I32(data), _) => {
            ort::value::Tensor::from_array((shape, data)).map(ort::value::Value::into_dyn)
        }
    };
    value.map_err(|error| network_error(&error.to_string()))
}

type Extracted<'a> = (Vec<usize>, std::borrow::Cow<'a, [f32]>);

fn to_f32(value: &DynValue) -> Result<Extracted<'_>, NetworkError> {
    let fail = |error: ort::Error| network_error(&error.to_string());
    let ValueType::Tensor { ty, .. } = value.dtype() else {
        return Err(NetworkError::new("the network's output is not a tensor"));
    };
    let shape = |shape: &ort::value::Shape| shape.iter().map(|&extent| extent as usize).collect();
    Ok(match ty {
        TensorElementType::Float32 => {
            let (axes, data) = value.try_extract_tensor::<f32>().map_err(fail)?;
            (shape(axes), data.into())
        }
        TensorElementType::Int64 => {
            let (axes, data) = value.try_extract_tensor::<i64>().map_err(fail)?;
            (shape(axes), data.iter().map(|&x| x as f32).collect())
        }
        TensorElementType::Int32 => {
            let (axes, data) = value.try_extract_tensor::<i32>().map_err(fail)?;
            (shape(axes), data.iter().map(|&x| x as f32).collect())
        }
        TensorElementType::Float16 => {
            let (axes, data) = value.try_extract_tensor::<half::f16>().map_err(fail)?;
            (shape(axes), data.iter().map(|x| x.to_f32()).collect())
        }
        other => return Err(NetworkError::new(format!("the network's output has the type {other}"))),
    })
}

fn network_error(message: &str) -> NetworkError {
    let lower = message.to_ascii_lowercase();
    let out_of_memory = ["failed to allocate", "bad_alloc", "out of memory", "available memory of"]
        .iter()
        .any(|sign| lower.contains(sign));
    NetworkError { message: message.to_owned(), out_of_memory }
}

#[cfg(test)]
mod tests {
    use viewfinder_test_support::ort_library;

    use super::*;

    fn runtime(device: Device) -> Result<Runtime, SessionError> {
        let library = Library::load(&ort_library()).unwrap();
        let config = RuntimeConfig { device, device_id: 0, cpu_fallback: false, threads: 1 };
        Runtime::new(library, config, Arc::new(Cores::new(1)))
    }

    #[test]
    fn the_convolution_that_tries_a_device_is_sound() {
        let runtime = runtime(Device::Cpu).unwrap();
        convolve(SessionBuilder::new(runtime.library.environment()).unwrap()).unwrap();
    }

    #[test]
    fn a_device_that_the_library_lacks_is_refused() {
        let Err(SessionError::Device { device, reason }) = runtime(Device::Rocm) else {
            panic!("not refused")
        };
        assert_eq!((device, &*reason), (Device::Rocm, "the ONNX Runtime library was built without it"));
    }

    #[test]
    fn only_devices_that_dislike_new_shapes_leave_them_to_the_cpu() {
        let mut runtime = runtime(Device::Cpu).unwrap();
        for (device, expected) in [
            (Device::Cpu, Device::Cpu),
            (Device::Cuda, Device::Cpu),
            (Device::TensorRt, Device::Cpu),
            (Device::CoreMl, Device::CoreMl),
        ] {
            runtime.device = device;
            assert_eq!(runtime.for_any_shapes().device(), expected);
        }
    }
}
