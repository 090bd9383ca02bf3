//! The one function that makes an address that can be dialled, and the type only it can make.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::class::{Class, classify};
use super::{Policy, Purpose, embed, host, rule, show::display_addr};

/// An address the policy has said yes to. Only this can be connected to, bound or sent to, and only
/// [`Policy::check`] makes one: what is dialled is what was judged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CheckedAddr(SocketAddr);

impl CheckedAddr {
    /// The address, for the kernel.
    #[must_use]
    pub const fn get(self) -> SocketAddr {
        self.0
    }
}

impl fmt::Display for CheckedAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display_addr(&self.0))
    }
}

impl fmt::Debug for CheckedAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckedAddr({self})")
    }
}

/// Something the policy has said no to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The address; none when already the name was denied.
    pub address: Option<SocketAddr>,
    /// What kind of place the address is.
    pub class: Option<Class>,
    /// The rule that decided, one of [`rule`].
    pub rule: &'static str,
}

impl Policy {
    /// Judges one address for one purpose.
    ///
    /// # Errors
    ///
    /// The rule that denied it.
    pub fn check(&self, address: SocketAddr, purpose: Purpose) -> Result<CheckedAddr, Denial> {
        let class = classify(address.ip());
        let deny = |class, rule| Err(Denial { address: Some(address), class: Some(class), rule });
        // What no mode and no rule can allow comes first.
        if class == Class::Metadata {
            return deny(class, rule::METADATA);
        }
        if self.is_control(address, class, purpose) {
            return deny(Class::SelfControl, rule::SELF_CONTROL);
        }
        match purpose {
            Purpose::Bind => {
                if self.listen_ports().is_some_and(|ports| !ports.contains(&address.port())) {
                    return deny(class, rule::LISTEN_PORTS);
                }
            }
            Purpose::Connect | Purpose::SendTo => {
                if let Some(rule) = local_mode(class) {
                    return deny(class, rule);
                }
            }
        }
        Ok(CheckedAddr(address))
    }

    /// Whether the address leads to our own control port. Nobody may talk to it from inside, and nobody may take it.
    /// It is enough that the port is one of ours and the address is this host's, whichever of its addresses the
    /// control port really listens on and whether it is spoken to over TCP or UDP: the rule that is easy to understand
    /// costs one port on this host, and a cleverer one could be wrong.
    fn is_control(&self, address: SocketAddr, class: Class, purpose: Purpose) -> bool {
        if !self.control_ports().any(|port| port == address.port()) {
            return false;
        }
        if purpose == Purpose::Bind {
            return true;
        }
        match class {
            Class::Loopback | Class::Unspecified => true,
            // A group is not a way to a TCP port, though the kernel would bind to it.
            Class::Multicast | Class::Broadcast => false,
            _ => {
                let inner = match embed::unmap(address.ip()) {
                    IpAddr::V6(v6) => embed::embedded(v6),
                    IpAddr::V4(_) => Vec::new(),
                };
                host::is_this_host(address)
                    || inner.into_iter().any(|inner| host::is_this_host(SocketAddr::new(inner.into(), 0)))
            }
        }
    }
}

/// What one person on their own machine may talk to: everything that means something. The rule that denies, if one
/// does. Shared mode will have a sibling of this function, with rules of its own.
const fn local_mode(class: Class) -> Option<&'static str> {
    match class {
        Class::Loopback
        | Class::Private
        | Class::LinkLocal
        | Class::Cgnat
        | Class::Ula
        | Class::Multicast
        | Class::Broadcast
        | Class::Unspecified
        | Class::Embedded
        | Class::Public => None,
        Class::Reserved => Some(rule::RESERVED),
        Class::Metadata => Some(rule::METADATA),
        Class::SelfControl => Some(rule::SELF_CONTROL),
    }
}
