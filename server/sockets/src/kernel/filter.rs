//! Which frames the capture wants, as a program the kernel runs on each of them (classic BPF, filter.txt in the kernel's
//! documentation).
//!
//! It lets through what carries a wanted address and port, in either direction; pieces that carry no port (later IPv4
//! fragments, IPv6 extension headers) by their address alone; and every ICMP error. Who gets more than he asked for
//! matches exactly himself.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::state::Protocol;

/// How much of a frame is kept, in bytes: a link header of 14, an IP header of at most 60, a TCP header of at most 60,
/// and more than 64 of what follows: the bytes of a window probe, or in an ICMP error the packet it is about. The rest of
/// a payload is in the log already, from the call that sent or received it.
pub const SNAP_LEN: u32 = 256;

/// The longest program the kernel takes (`BPF_MAXINSNS`). Wanting more than fits makes it coarse: all TCP and UDP.
const MAX_INSTRUCTIONS: usize = 4096;

/// One end of what is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// What it speaks.
    pub protocol: Protocol,
    /// Its address; none: any (a port that is listened on).
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: u16,
}

/// One instruction of classic BPF (`struct sock_filter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// How many to skip where a condition holds.
    pub jt: u8,
    /// How many to skip where it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

/// The filter for the endpoints: exact where that fits, else coarse.
#[must_use]
pub fn program(wanted: &BTreeSet<Endpoint>) -> Vec<Instruction> {
    if wanted.is_empty() {
        return nothing();
    }
    let exact = assemble(&Wanted::sorted(wanted));
    if exact.len() <= MAX_INSTRUCTIONS { exact } else { coarse() }
}

/// The filter that lets nothing through.
#[must_use]
pub fn nothing() -> Vec<Instruction> {
    vec![statement(RET, 0)]
}

/// The filter that lets all TCP and UDP and every ICMP error through, for when the exact one is too long.
#[must_use]
pub fn coarse() -> Vec<Instruction> {
    assemble(&Wanted { all: true, ..Wanted::default() })
}

/// What is wanted, as the program asks for it.
#[derive(Default)]
struct Wanted {
    /// Everything, and the rest does not matter.
    all: bool,
    tcp: Ports,
    udp: Ports,
    /// Every address wanted; `any_address` where some port is wanted at all of them.
    addresses: BTreeSet<IpAddr>,
    any_address: bool,
}

/// The addresses wanted at a port; none: all.
type Ports = BTreeMap<u16, Option<BTreeSet<IpAddr>>>;

impl Wanted {
    fn sorted(wanted: &BTreeSet<Endpoint>) -> Self {
        let mut this = Self::default();
        for endpoint in wanted {
            let ports = match endpoint.protocol {
                Protocol::Tcp => &mut this.tcp,
                Protocol::Udp => &mut this.udp,
            };
            let at = ports.entry(endpoint.port).or_insert_with(|| Some(BTreeSet::new()));
            // On the wire, ::ffff:192.0.2.1 is 192.0.2.1.
            match endpoint.address.map(|address| address.to_canonical()) {
                None => {
                    *at = None;
                    this.any_address = true;
                }
                Some(address) => {
                    this.addresses.insert(address);
                    if let Some(addresses) = at {
                        addresses.insert(address);
                    }
                }
            }
        }
        this
    }
}

// The instructions used (linux/bpf_common.h).
const LD_W_ABS: u16 = 0x20;
const LD_W_IND: u16 = 0x40;
const LD_H_IND: u16 = 0x48;
const LD_B_IND: u16 = 0x50;
const LD_MEM: u16 = 0x60;
const LDX_IMM: u16 = 0x01;
const LDX_MEM: u16 = 0x61;
const ST: u16 = 0x02;
const ADD_X: u16 = 0x0c;
const AND_K: u16 = 0x54;
const LSH_K: u16 = 0x64;
const TAX: u16 = 0x07;
const JA: u16 = 0x05;
const JEQ_K: u16 = 0x15;
const JGE_K: u16 = 0x35;
const JSET_K: u16 = 0x45;
const RET: u16 = 0x06;

/// Where the kernel's own notes on a frame are read from (`SKF_AD_OFF`, linux/filter.h).
const ANCILLARY: u32 = libc::SKF_AD_OFF.cast_unsigned();

// The scratch memory: the ports, and the addresses as one word (IPv4) or four.
const SOURCE_PORT: u32 = 0;
const DESTINATION_PORT: u32 = 1;
const SOURCE: u32 = 2;
const DESTINATION: u32 = 6;
const BASE: u32 = 10;

const fn statement(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

/// A place to jump to. The kernel refuses a program that may read a word of the memory before it is written, and takes
/// what stands before a return to come before what stands behind it: no place reads what the one above it lacks.
#[derive(Clone, Copy)]
struct Label(usize);

#[derive(Default)]
struct Assembler {
    code: Vec<Instruction>,
    /// Where each label is, once it is.
    labels: Vec<Option<usize>>,
    /// The unconditional jumps, and where to.
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.code.len());
    }

    fn emit(&mut self, code: u16, k: u32) {
        self.code.push(statement(code, k));
    }

    fn ancillary(&mut self, offset: libc::c_int) {
        self.emit(LD_W_ABS, ANCILLARY.wrapping_add_signed(offset));
    }

    fn jump(&mut self, to: Label) {
        self.jumps.push((self.code.len(), to));
        self.emit(JA, 0);
    }

    /// Jumps where the condition holds. A conditional jump reaches 255 instructions, an unconditional one all.
    fn jump_if(&mut self, condition: u16, k: u32, to: Label) {
        self.code.push(Instruction { code: condition, jt: 0, jf: 1, k });
        self.jump(to);
    }

    fn jump_unless(&mut self, condition: u16, k: u32, to: Label) {
        self.code.push(Instruction { code: condition, jt: 1, jf: 0, k });
        self.jump(to);
    }

    fn pass(&mut self) {
        self.emit(RET, SNAP_LEN);
    }

    fn drop(&mut self) {
        self.emit(RET, 0);
    }

    /// Passes the frame if the address at this place of the memory is one of these.
    fn pass_addresses<'a>(&mut self, at: u32, v6: bool, addresses: impl Iterator<Item = &'a IpAddr>) {
        if !v6 {
            self.emit(LD_MEM, at);
        }
        for address in addresses {
            match address {
                IpAddr::V4(address) if !v6 => {
                    self.code.push(Instruction { code: JEQ_K, jt: 0, jf: 1, k: address.to_bits() });
                    self.pass();
                }
                IpAddr::V6(address) if v6 => {
                    let bits = address.to_bits();
                    for word in 0..4_u8 {
                        self.emit(LD_MEM, at + u32::from(word));
                        // To behind this word's comparison, those after it and the return.
                        let jf = 2 * (3 - word) + 1;
                        let k = u32::try_from(bits >> (96 - 32 * u32::from(word)) & u128::from(u32::MAX))
                            .expect("32 bits");
                        self.code.push(Instruction { code: JEQ_K, jt: 0, jf, k });
                    }
                    self.pass();
                }
                _ => {}
            }
        }
    }

    /// Passes the frame if one of its ends is wanted; else drops it.
    fn match_ends(&mut self, wanted: &Wanted, ports: &Ports, v6: bool) {
        if wanted.all {
            self.pass();
            return;
        }
        for (port_at, address_at) in [(SOURCE_PORT, SOURCE), (DESTINATION_PORT, DESTINATION)] {
            self.emit(LD_MEM, port_at);
            for (port, addresses) in ports {
                let next = self.label();
                let k = u32::from(*port);
                match addresses {
                    None => {
                        self.code.push(Instruction { code: JEQ_K, jt: 0, jf: 1, k });
                        self.pass();
                    }
                    Some(addresses) if addresses.iter().any(|address| address.is_ipv6() == v6) => {
                        self.jump_unless(JEQ_K, k, next);
                        self.pass_addresses(address_at, v6, addresses.iter());
                        self.emit(LD_MEM, port_at);
                    }
                    Some(_) => {}
                }
                self.place(next);
            }
        }
        self.drop();
    }

    /// Passes a frame that has no ports if one of its addresses is wanted; else drops it.
    fn match_addresses(&mut self, wanted: &Wanted, v6: bool) {
        if wanted.all || wanted.any_address {
            self.pass();
            return;
        }
        for at in [SOURCE, DESTINATION] {
            self.pass_addresses(at, v6, wanted.addresses.iter());
        }
        self.drop();
    }

    fn finish(mut self) -> Vec<Instruction> {
        for (at, label) in self.jumps {
            let to = self.labels[label.0].expect("every label is placed");
            self.code[at].k = u32::try_from(to - at - 1).expect("a program is short");
        }
        self.code
    }
}

fn assemble(wanted: &Wanted) -> Vec<Instruction> {
    let mut asm = Assembler::default();
    let (drop, v4, v6) = (asm.label(), asm.label(), asm.label());
    prologue(&mut asm, drop, v4, v6);

    asm.place(v4);
    let (v4_icmp, v4_portless, v4_tcp, v4_udp) = (asm.label(), asm.label(), asm.label(), asm.label());
    asm.emit(LD_W_IND, 12);
    asm.emit(ST, SOURCE);
    asm.emit(LD_W_IND, 16);
    asm.emit(ST, DESTINATION);
    // A fragment that is not the first has no header of what it carries.
    asm.emit(LD_H_IND, 6);
    asm.jump_if(JSET_K, 0x1fff, v4_portless);
    ports_after_ipv4_header(&mut asm);
    asm.emit(LDX_MEM, BASE);
    asm.emit(LD_B_IND, 9);
    asm.jump_if(JEQ_K, 6, v4_tcp);
    asm.jump_if(JEQ_K, 17, v4_udp);
    asm.jump_if(JEQ_K, 1, v4_icmp);
    asm.drop();
    asm.place(v4_tcp);
    asm.match_ends(wanted, &wanted.tcp, false);
    asm.place(v4_udp);
    asm.match_ends(wanted, &wanted.udp, false);
    asm.place(v4_icmp);
    // Destination unreachable, time exceeded, parameter problem; source quench is long deprecated (RFC 6633).
    asm.emit(LD_MEM, SOURCE_PORT);
    asm.emit(AND_K, 0xff00);
    for kind in [3, 11, 12] {
        asm.code.push(Instruction { code: JEQ_K, jt: 0, jf: 1, k: kind << 8 });
        asm.pass();
    }
    asm.drop();
    asm.place(v4_portless);
    let v4_addresses = asm.label();
    asm.emit(LD_B_IND, 9);
    asm.jump_if(JEQ_K, 6, v4_addresses);
    asm.jump_unless(JEQ_K, 17, drop);
    asm.place(v4_addresses);
    asm.match_addresses(wanted, false);

    asm.place(v6);
    let (v6_icmp, v6_portless, v6_tcp, v6_udp) = (asm.label(), asm.label(), asm.label(), asm.label());
    for word in 0..4 {
        asm.emit(LD_W_IND, 8 + 4 * word);
        asm.emit(ST, SOURCE + word);
        asm.emit(LD_W_IND, 24 + 4 * word);
        asm.emit(ST, DESTINATION + word);
    }
    asm.emit(LD_B_IND, 6);
    // Hop-by-hop, routing, fragment and destination options stand between: what they carry is looked at later.
    for extension in [0, 43, 44, 60] {
        asm.jump_if(JEQ_K, extension, v6_portless);
    }
    asm.jump_if(JEQ_K, 58, v6_icmp);
    asm.jump_if(JEQ_K, 6, v6_tcp);
    asm.jump_unless(JEQ_K, 17, drop);
    asm.place(v6_udp);
    v6_ports(&mut asm);
    asm.match_ends(wanted, &wanted.udp, true);
    asm.place(v6_tcp);
    v6_ports(&mut asm);
    asm.match_ends(wanted, &wanted.tcp, true);
    asm.place(v6_portless);
    asm.match_addresses(wanted, true);
    asm.place(v6_icmp);
    // Errors have types below 128 (RFC 4443 §2.1).
    asm.emit(LD_B_IND, 40);
    asm.jump_if(JGE_K, 128, drop);
    asm.pass();

    asm.place(drop);
    asm.drop();
    asm.finish()
}

/// Drops what is seen elsewhere too, leaves in X and in `BASE` where the IP header begins, and goes on by its version.
fn prologue(asm: &mut Assembler, drop: Label, v4: Label, v6: Label) {
    let (once, ethernet, based) = (asm.label(), asm.label(), asm.label());
    // On loopback a frame goes out and comes in: only the second counts.
    asm.ancillary(libc::SKF_AD_PKTTYPE);
    asm.jump_if(JEQ_K, u32::from(libc::PACKET_OTHERHOST), drop);
    asm.jump_unless(JEQ_K, u32::from(libc::PACKET_OUTGOING), once);
    asm.ancillary(libc::SKF_AD_HATYPE);
    asm.jump_if(JEQ_K, u32::from(libc::ARPHRD_LOOPBACK), drop);
    asm.place(once);
    // A frame with a VLAN tag is seen once more, without it, at the interface of its VLAN.
    asm.ancillary(libc::SKF_AD_VLAN_TAG_PRESENT);
    asm.jump_unless(JEQ_K, 0, drop);
    asm.ancillary(libc::SKF_AD_HATYPE);
    asm.jump_if(JEQ_K, u32::from(libc::ARPHRD_ETHER), ethernet);
    asm.jump_if(JEQ_K, u32::from(libc::ARPHRD_LOOPBACK), ethernet);
    // Any other link: from the network header on. That reads only the linear part of a packet before Linux 6.16, which
    // is why Ethernet does without.
    asm.emit(LDX_IMM, libc::SKF_NET_OFF.cast_unsigned());
    asm.emit(STX, BASE);
    asm.jump(based);
    asm.place(ethernet);
    asm.emit(LDX_IMM, 14);
    asm.emit(STX, BASE);
    asm.place(based);
    asm.ancillary(libc::SKF_AD_PROTOCOL);
    asm.jump_if(JEQ_K, 0x0800, v4);
    asm.jump_if(JEQ_K, 0x86dd, v6);
    asm.jump(drop);
}

const STX: u16 = 0x03;

/// Loads the ports that follow an IPv4 header with its options; X is lost. What is shorter than four bytes is dropped: a
/// load beyond the end ends the program so.
fn ports_after_ipv4_header(asm: &mut Assembler) {
    asm.emit(LD_B_IND, 0);
    asm.emit(AND_K, 0x0f);
    asm.emit(LSH_K, 2);
    asm.emit(ADD_X, 0);
    asm.emit(TAX, 0);
    asm.emit(LD_H_IND, 0);
    asm.emit(ST, SOURCE_PORT);
    asm.emit(LD_H_IND, 2);
    asm.emit(ST, DESTINATION_PORT);
}

fn v6_ports(asm: &mut Assembler) {
    asm.emit(LD_H_IND, 40);
    asm.emit(ST, SOURCE_PORT);
    asm.emit(LD_H_IND, 42);
    asm.emit(ST, DESTINATION_PORT);
}

#[cfg(test)]
mod tests;
