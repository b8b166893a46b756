//! What a picture's header says, before anybody is asked about it.

use bytes::Bytes;
use viewfinder_core::{DecodeRules, ErrorCode, TaskError};
use viewfinder_image::{Header, Orientation, header};

use crate::nodes::NodeError;

/// A peer that turns pictures upright, or does not, whatever it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerOrientation {
    /// It follows the EXIF orientation.
    Upright,
    /// It takes pixels as they are stored.
    Never,
}

/// The header, or why no node could decode the picture.
pub(crate) fn read(picture: &Bytes) -> Result<Header, NodeError> {
    header(picture).map_err(|error| {
        let TaskError { code, message, .. } = error.into();
        NodeError::Refused { status: code.http_status(), code: Some(code), message }
    })
}

/// Checks that the peer would decode the picture to the same pixels, as far as it matters to the answer.
pub(crate) fn check(header: &Header, rules: DecodeRules, peer: PeerOrientation) -> Result<(), NodeError> {
    if rules.max_side.is_some_and(|side| header.width.max(header.height) > side) {
        return Err(NodeError::Refused {
            status: ErrorCode::ImageTooLarge.http_status(),
            code: Some(ErrorCode::ImageTooLarge),
            message: format!(
                "the picture is {} x {} pixels, more than is allowed",
                header.width, header.height
            ),
        });
    }
    match (peer, rules.orient) {
        _ if header.orientation == Orientation::Normal => Ok(()),
        (PeerOrientation::Upright, true) | (PeerOrientation::Never, false) => Ok(()),
        (PeerOrientation::Upright, false) => Err(NodeError::Unsuited("it would turn the picture")),
        (PeerOrientation::Never, true) => Err(NodeError::Unsuited("it would not turn the picture upright")),
    }
}
