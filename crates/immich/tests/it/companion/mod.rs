//! The companion in front of a stand-in for Immich, which answers as a real 2.7.5 was seen to.

mod anchors;
mod browser;
mod chunks;
mod features;
mod immich;
mod jobs;
mod page;
mod reruns;
mod searches;
mod support;
mod warnings;
