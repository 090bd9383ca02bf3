//! Which addresses may be dialled, bound and sent to.
//!
//! Whoever can ask this server to open a socket can make it talk to whatever it can reach, so there is one way from a
//! text to a socket, and it is narrow:
//!
//! ```text
//! text ─ target ─► Host ─ name rule ─► resolver ─► SocketAddr ─ check ─► CheckedAddr ─ dial ─► kernel
//! ```
//!
//! - The text is read strictly ([`crate::target`]): nothing that some resolver would take for a number is a name.
//! - A name is resolved **once**, by our own [`Resolver`], and **every** answer is judged. Exactly the judged address
//!   is dialled, so an answer that changes a moment later (DNS rebinding) changes nothing.
//! - The judgement is about the address, never about its spelling: [`classify`] unwraps IPv4 from IPv6 first.
//! - [`Policy::check`] is the only function that makes a [`CheckedAddr`], and nothing else can be dialled. The lints
//!   in `clippy.toml` ban the other ways.
//! - Failing is refusing: an error of DNS is an error, and an address no table knows is [`Class::Reserved`].
//!
//! Cloud metadata and our own control port are denied in every mode and for every purpose, before anything else is
//! asked. Beyond that, today's one mode is *local*: one person, on their own machine, may talk to everything that means
//! something. To bind, the kernel decides which addresses are local; we decide about ports.

mod checked;
mod class;
mod embed;
mod host;
mod resolve;
pub mod rule;
mod show;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use crate::target::Host;

pub use checked::{CheckedAddr, Denial};
pub use class::{Class, classify};
pub use host::is_this_host;
pub use resolve::{ResolveError, Resolver};
pub use show::display_addr;

/// What an address is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// connect(2), TCP or UDP.
    Connect,
    /// One datagram.
    SendTo,
    /// bind(2), to listen or to receive.
    Bind,
}

/// What the policy must know of this server.
#[derive(Debug, Clone)]
pub struct PolicyConfig {
    /// The addresses this server is controlled through, as they are bound (with the real port, never 0).
    pub control: Vec<SocketAddr>,
    /// The only ports that may be bound, when they are limited.
    pub listen_ports: Option<RangeInclusive<u16>>,
    /// Where a socket is bound when no host is given.
    pub default_listen_host: IpAddr,
}

/// The policy of a running server. It does not change while the server runs.
#[derive(Debug, Clone)]
pub struct Policy {
    config: PolicyConfig,
}

/// What came of a host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The answers of the resolver; none when the host was no name.
    pub resolved: Option<Vec<SocketAddr>>,
    /// What may be used, best first, never empty. To connect: families alternate, IPv6 first (RFC 8305 §4). To bind:
    /// IPv4 first, because only one is bound and that is the one people then dial.
    pub allowed: Vec<CheckedAddr>,
    /// What may not be used.
    pub denied: Vec<Denial>,
}

/// Why nothing came of a host and a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Every address, or already the name, is denied. Never empty.
    #[error("denied by rule {}", .0.first().map_or("", |denial| denial.rule))]
    Denied(Vec<Denial>),
    /// There is no address to judge.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}

impl Policy {
    /// A policy for local mode.
    #[must_use]
    pub const fn new(config: PolicyConfig) -> Self {
        Self { config }
    }

    /// The only ports that may be bound, when they are limited. Port 0, any free one, is then denied like every port
    /// outside of the range: whoever wants any port picks one of these.
    #[must_use]
    pub fn listen_ports(&self) -> Option<RangeInclusive<u16>> {
        self.config.listen_ports.clone()
    }

    fn control_ports(&self) -> impl Iterator<Item = u16> {
        self.config.control.iter().map(SocketAddr::port)
    }

    /// Turns a host and a port into addresses that may be used for a purpose: resolves a name once, and checks every
    /// answer.
    ///
    /// # Errors
    ///
    /// When there is no address, or none that is allowed.
    pub async fn targets(
        &self,
        resolver: &Resolver,
        host: &Host,
        port: u16,
        purpose: Purpose,
    ) -> Result<Checked, Refusal> {
        let name = match host {
            Host::Name(name) => name,
            Host::Ip { addr, zone } => {
                let zone = match zone {
                    Some(zone) => show::zone_index(zone).ok_or(ResolveError::UnknownZone)?,
                    None => 0,
                };
                return self.literal(show::with_zone(*addr, port, zone), purpose);
            }
            Host::Empty if purpose == Purpose::Bind => {
                return self.literal(SocketAddr::new(self.config.default_listen_host, port), purpose);
            }
            Host::Empty => return Err(ResolveError::NoAddress.into()),
        };
        if rule::is_metadata_name(name) {
            return Err(Refusal::Denied(vec![Denial {
                address: None,
                class: None,
                rule: rule::METADATA_NAME,
            }]));
        }
        let answers = resolver.resolve(name).await?;
        let resolved: Vec<_> = answers.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        let mut allowed = Vec::with_capacity(resolved.len());
        let mut denied = Vec::new();
        for &address in &resolved {
            match self.check(address, purpose) {
                Ok(address) => allowed.push(address),
                Err(denial) => denied.push(denial),
            }
        }
        let is_ipv6 = |address: &CheckedAddr| address.get().is_ipv6();
        match purpose {
            Purpose::Bind => allowed.sort_by_key(is_ipv6),
            Purpose::Connect | Purpose::SendTo => allowed = resolve::alternate(allowed, is_ipv6),
        }
        if allowed.is_empty() {
            return Err(Refusal::Denied(denied));
        }
        Ok(Checked { resolved: Some(resolved), allowed, denied })
    }

    fn literal(&self, address: SocketAddr, purpose: Purpose) -> Result<Checked, Refusal> {
        match self.check(address, purpose) {
            Ok(address) => Ok(Checked { resolved: None, allowed: vec![address], denied: Vec::new() }),
            Err(denial) => Err(Refusal::Denied(vec![denial])),
        }
    }
}

#[cfg(test)]
mod tests;
