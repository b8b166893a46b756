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

/// Does a network take long on this device whenever its input's shape differs from the last one's?
///
/// For CUDA, ONNX Runtime plans every convolution anew for each such input (its issue 23006): tens of milliseconds each,
/// seconds for a network. TensorRT builds an engine.
pub(crate) fn wants_one_shape(device: Device) -> bool {
    matches!(device, Device::Cuda | Device::TensorRt)
}

/// The library's words about why something failed, in one line and without the place in its source.
pub(crate) fn plain(error: &impl fmt::Display) -> String {
    let words = error.to_string();
    // "FILE:LINE FUNCTION [ONNXRuntimeError] : NUMBER : NAME : WORDS"
    let words = words
        .split_once("[ONNXRuntimeError] : ")
        .and_then(|(_, rest)| rest.splitn(3, " : ").nth(2))
        .unwrap_or(&words);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What to register with a session so that it runs on `device`; empty for the CPU.
///
/// Registration must fail loudly: ONNX Runtime would otherwise run on the CPU and say nothing.
pub(crate) fn providers(device: Device, device_id: u32) -> Vec<ep::ExecutionProviderDispatch> {
    use ort::ep::ExecutionProvider as _;
    let id = i32::try_from(device_id).unwrap_or(0);
    // With its default, CUDA measures every convolution algorithm again for each new picture shape, takes twice the
    // memory that is asked for, and multiplies with ten bits of each number, so that vectors differ from the CPU's.
    let cuda = || {
        ep::CUDA::default()
            .with_device_id(id)
            .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
            .with_arena_extend_strategy(ep::ArenaExtendStrategy::SameAsRequested)
            .with_tf32(false)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_short() {
        let place = "/src/provider_bridge_ort.cc:2043 Get() [ONNXRuntimeError] : 1 : FAIL : ";
        let words = "Failed to load library x.so with error: libcudart.so.13: cannot open shared object file";
        assert_eq!(plain(&format!("{place}{words}\n")), words);
        assert_eq!(plain(&"out of\nluck"), "out of luck");
    }

    #[test]
    fn devices_are_told_by_their_names() {
        for &(device, name) in Device::ALL {
            assert_eq!(name.parse(), Ok(device));
            assert_eq!(device.to_string(), name);
        }
        assert!("gpu".parse::<Device>().is_err());
    }
}
