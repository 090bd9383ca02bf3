//! The rules, by the names they are known under in events, errors and the page. Never renamed.

/// A cloud's metadata address, in whatever spelling or wrapping. No mode and no rule can allow it.
pub const METADATA: &str = "hard-deny:metadata";
/// A name under which clouds answer with such an address.
pub const METADATA_NAME: &str = "hard-deny:metadata-name";
/// Our own control port. No mode and no rule can allow it.
pub const SELF_CONTROL: &str = "hard-deny:self-control";
/// A port to listen on outside of the range that was given at the start.
pub const LISTEN_PORTS: &str = "listen-ports";
/// An address that is set aside, or that no table knows.
pub const RESERVED: &str = "reserved-address";

/// Names that clouds resolve to metadata addresses inside their networks. Their addresses are denied as well; the
/// names are denied for the sentence, and for the cloud whose address we do not know.
const NAMES: &[&str] = &[
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "metadata.exoscale.com",
    "instance-data",
    "instance-data.ec2.internal",
];

/// Whether a normalised name is one of a cloud's metadata service.
pub(super) fn is_metadata_name(name: &str) -> bool {
    NAMES.contains(&name)
}
