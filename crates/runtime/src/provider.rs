use std::{fmt, str::FromStr};

use ort::ep;

/// The accelerator asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The best one that works.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// NVIDIA through CUDA.
    Cuda,
    /// NVIDIA through TensorRT. Builds an engine for each model and shape first, which takes minutes.
    TensorRt,
    /// Intel.
    OpenVino,
    /// Apple.
    CoreMl,
    /// Windows.
    DirectMl,
    /// AMD: MIGraphX, or the older ROCm provider.
    Rocm,
}

impl Device {
    /// Every device with the name used in configuration.
    pub const ALL: &[(Device, &str)] = &[
        (Device::Auto, "auto"),
        (Device::Cpu, "cpu"),
        (Device::Cuda, "cuda"),
        (Device::TensorRt, "tensorrt"),
        (Device::OpenVino, "openvino"),
        (Device::CoreMl, "coreml"),
        (Device::DirectMl, "directml"),
        (Device::Rocm, "rocm"),
    ];

    /// The name used in configuration, logs and metrics.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(device, _)| *device == self).map_or("auto", |(_, name)| name)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A device name that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a device; choose auto, cpu, cuda, tensorrt, openvino, coreml, directml or rocm")]
pub struct DeviceError(String);

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_ascii_lowercase();
        Self::ALL
            .iter()
            .find(|(_, name)| *name == wanted)
            .map(|(device, _)| *device)
            .ok_or_else(|| DeviceError(text.to_owned()))
    }
}

/// The devices that [`Device::Auto`] tries before the CPU, best first.
///
/// TensorRT is left out: its minutes of engine building must be somebody's decision.
pub(crate) const AUTO_ORDER: &[Device] =
    &[Device::Cuda, Device::Rocm, Device::OpenVino, Device::CoreMl, Device::DirectMl];

/// Was the loaded library built with support for this device?
pub(crate) fn is_built_in(device: Device) -> bool {
    use ort::ep::ExecutionProvider as _;
    let built = match device {
        Device::Auto | Device::Cpu => return true,
        Device::Cuda => ep::CUDA::is_available(),
        Device::TensorRt => ep::TensorRT::is_available(),
        Device::OpenVino => ep::OpenVINO::is_available(),
        Device::CoreMl => ep::CoreML::is_available(),
        Device::DirectMl => ep::DirectML::is_available(),
        Device::Rocm => {
            ep::MIGraphX::is_available().map(|built| built || ep::ROCm::is_available().unwrap_or(false))
        }
    };
    built.unwrap_or(false)
}

/// What to register with a session so that it runs on `device`; empty for the CPU.
///
/// Registration must fail loudly: ONNX Runtime would otherwise run on the CPU and say nothing.
pub(crate) fn providers(device: Device, device_id: u32) -> Vec<ep::ExecutionProviderDispatch> {
    use ort::ep::ExecutionProvider as _;
    let id = i32::try_from(device_id).unwrap_or(0);
    // With its default, CUDA measures every convolution algorithm again for each new picture shape.
    let cuda = || {
        ep::CUDA::default()
            .with_device_id(id)
            .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
            .build()
            .error_on_failure()
    };
    match device {
        Device::Auto | Device::Cpu => Vec::new(),
        Device::Cuda => vec![cuda()],
        Device::TensorRt => {
            vec![ep::TensorRT::default().with_device_id(id).build().error_on_failure(), cuda()]
        }
        Device::OpenVino => vec![ep::OpenVINO::default().build().error_on_failure()],
        Device::CoreMl => vec![ep::CoreML::default().build().error_on_failure()],
        Device::DirectMl => vec![ep::DirectML::default().with_device_id(id).build().error_on_failure()],
        Device::Rocm if ep::MIGraphX::is_available().unwrap_or(false) => {
            vec![ep::MIGraphX::default().with_device_id(id).build().error_on_failure()]
        }
        Device::Rocm => vec![ep::ROCm::default().with_device_id(id).build().error_on_failure()],
    }
}
