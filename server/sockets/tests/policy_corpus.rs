//! Spellings of addresses, and what becomes of each: as a TCP target, as a UDP target, as the `to` of a datagram, and
//! as an address to bind. A row is what stands behind `scheme://`.

use std::net::{IpAddr, Ipv4Addr};

use sockscope_sockets::policy::{Class, Policy, PolicyConfig, Purpose, Refusal, Resolver, classify, rule};
use sockscope_sockets::target::{Host, Target, TargetError, parse_endpoint};

/// What is to become of a spelling.
#[derive(Debug, Clone, Copy)]
enum Expect {
    /// No target at all, for this reason.
    Malformed(&'static str),
    /// A name, normalised like this; never an address.
    Name(&'static str),
    /// A name that is denied before anybody is asked.
    MetadataName,
    /// An address that is denied to everybody.
    Metadata,
    /// Our own control port.
    Control,
    /// An address the policy denies for its class.
    Reserved,
    /// An address that may be dialled, of this class.
    Allowed(Class),
}

use Class::{Broadcast, Cgnat, Embedded, LinkLocal, Loopback, Multicast, Private, Public, Ula, Unspecified};
use Expect::{Allowed, Control, Malformed, Metadata, MetadataName, Name, Reserved};

const CONTROL_PORT: u16 = 7625;

#[rustfmt::skip]
const CORPUS: &[(&str, Expect)] = &[
    // IPv4 as it is written.
    ("127.0.0.1:80", Allowed(Loopback)),
    ("127.255.255.254:80", Allowed(Loopback)),
    ("10.0.0.1:80", Allowed(Private)),
    ("172.16.0.1:80", Allowed(Private)),
    ("192.168.1.1:80", Allowed(Private)),
    ("192.0.2.1:80", Allowed(Private)),
    ("198.18.0.2:80", Allowed(Private)),
    ("169.254.1.1:80", Allowed(LinkLocal)),
    ("100.64.0.1:80", Allowed(Cgnat)),
    ("0.0.0.0:80", Allowed(Unspecified)),
    ("224.0.0.251:5353", Allowed(Multicast)),
    ("255.255.255.255:9", Allowed(Broadcast)),
    ("1.1.1.1:443", Allowed(Public)),
    ("93.184.216.34:65535", Allowed(Public)),
    ("0.0.0.1:80", Reserved),
    ("192.0.0.8:80", Reserved),
    ("192.88.99.1:80", Reserved),
    ("240.0.0.1:80", Reserved),
    ("255.255.255.254:80", Reserved),

    // IPv4 as inet_aton and getaddrinfo would take it.
    ("0177.0.0.1:80", Malformed("numeric")),
    ("0177.0.0.01:80", Malformed("numeric")),
    ("127.0.0.01:80", Malformed("numeric")),
    ("127.0.0.001:80", Malformed("numeric")),
    ("127.000.000.001:80", Malformed("numeric")),
    ("0127.0.0.1:80", Malformed("numeric")),
    ("00.0.0.0:80", Malformed("numeric")),
    ("017700000001:80", Malformed("numeric")),
    ("0x7f.0.0.1:80", Malformed("numeric")),
    ("0X7F.0.0.1:80", Malformed("numeric")),
    ("0x7f.0x0.0x0.0x1:80", Malformed("numeric")),
    ("0x7f.1:80", Malformed("numeric")),
    ("127.0x1:80", Malformed("numeric")),
    ("0x7f000001:80", Malformed("numeric")),
    ("0x7F000001:80", Malformed("numeric")),
    ("0x0000007f000001:80", Malformed("numeric")),
    ("0xa9fea9fe:80", Malformed("numeric")),
    ("0xa9.0xfe.0xa9.0xfe:80", Malformed("numeric")),
    ("0x:80", Malformed("numeric")),
    ("127.0.0.0x:80", Malformed("numeric")),
    ("2130706433:80", Malformed("numeric")),
    ("2852039166:80", Malformed("numeric")),
    ("4294967295:80", Malformed("numeric")),
    ("4294967296:80", Malformed("numeric")),
    ("7147006462:80", Malformed("numeric")),
    ("127.1:80", Malformed("numeric")),
    ("127.0.1:80", Malformed("numeric")),
    ("127.65537:80", Malformed("numeric")),
    ("10.1:80", Malformed("numeric")),
    ("169.254.43518:80", Malformed("numeric")),
    ("169.16689662:80", Malformed("numeric")),
    ("0251.0376.0251.0376:80", Malformed("numeric")),
    ("0251.254.169.254:80", Malformed("numeric")),
    ("0xa9.254.0251.254:80", Malformed("numeric")),
    ("169.254.0xa9fe:80", Malformed("numeric")),
    ("0:80", Malformed("numeric")),
    ("00:80", Malformed("numeric")),
    ("0x0:80", Malformed("numeric")),
    ("0.0:80", Malformed("numeric")),
    ("1:80", Malformed("numeric")),
    ("256.0.0.1:80", Malformed("numeric")),
    ("127.0.0.256:80", Malformed("numeric")),
    ("1.2.3.4.5:80", Malformed("numeric")),
    ("999.999.999.999:80", Malformed("numeric")),
    ("127.0.0.1.:80", Malformed("numeric")),
    ("169.254.169.254.:80", Malformed("numeric")),
    ("2130706433.:80", Malformed("numeric")),
    ("0x7f000001.:80", Malformed("numeric")),
    ("example.127:80", Malformed("numeric")),
    ("example.0x7f:80", Malformed("numeric")),
    ("a.b.1:80", Malformed("numeric")),
    ("127.0.0.1..:80", Malformed("empty_label")),
    ("127..0.1:80", Malformed("empty_label")),
    (".127.0.0.1:80", Malformed("empty_label")),
    ("127.0.0.-1:80", Malformed("hyphen")),
    ("-127.0.0.1:80", Malformed("hyphen")),
    ("+127.0.0.1:80", Malformed("character")),
    ("127.0.0.+1:80", Malformed("character")),
    ("127,0,0,1:80", Malformed("character")),
    ("127.0.0.1%lo:80", Malformed("character")),
    ("%31%32%37.0.0.1:80", Malformed("character")),
    ("127%2e0%2e0%2e1:80", Malformed("character")),
    ("127.0.0.1%00:80", Malformed("character")),
    ("127.0.0.1%20:80", Malformed("character")),

    // IPv4 in other digits and other dots: what UTS #46 makes of them is a number, so they are refused.
    ("①②⑦.0.0.1:80", Malformed("numeric")),
    ("①②⑦.⓪.⓪.①:80", Malformed("numeric")),
    ("①⑥⑨.②⑤④.①⑥⑨.②⑤④:80", Malformed("numeric")),
    ("１２７.０.０.１:80", Malformed("numeric")),
    ("𝟏𝟐𝟕.𝟎.𝟎.𝟏:80", Malformed("numeric")),
    ("𝟙𝟚𝟟.0.0.1:80", Malformed("numeric")),
    ("¹²⁷.0.0.1:80", Malformed("numeric")),
    ("₁₂₇.0.0.1:80", Malformed("numeric")),
    ("127。0。0。1:80", Malformed("numeric")),
    ("127．0．0．1:80", Malformed("numeric")),
    ("127｡0｡0｡1:80", Malformed("numeric")),
    ("169。254。169。254:80", Malformed("numeric")),
    ("169．254．169．254:80", Malformed("numeric")),
    ("127.0.0.1。:80", Malformed("numeric")),
    ("０ｘ７ｆ.1:80", Malformed("numeric")),
    ("０x7f000001:80", Malformed("numeric")),
    ("２１３０７０６４３３:80", Malformed("numeric")),
    ("①:80", Malformed("numeric")),
    ("⑳:80", Malformed("numeric")),
    ("127.0.0.\u{ad}1:80", Malformed("numeric")),
    ("127.0.0.1\u{200b}:80", Malformed("numeric")),
    ("\u{2060}127.0.0.1:80", Malformed("numeric")),
    ("127\u{feff}.0.0.1:80", Malformed("numeric")),
    ("127.0.0.1\u{fe0f}:80", Malformed("numeric")),
    ("⒈⒉⒊:80", Malformed("unicode")),
    ("١٢٧.0.0.1:80", Malformed("unicode")),
    ("\u{202e}1.0.0.721:80", Malformed("unicode")),
    ("127.0.0.1\u{200f}:80", Malformed("unicode")),

    // IPv6 as it is written.
    ("[::1]:80", Allowed(Loopback)),
    ("[0:0:0:0:0:0:0:1]:80", Allowed(Loopback)),
    ("[0000:0000:0000:0000:0000:0000:0000:0001]:80", Allowed(Loopback)),
    ("[::0.0.0.1]:80", Allowed(Loopback)),
    ("[::]:80", Allowed(Unspecified)),
    ("[0::0]:80", Allowed(Unspecified)),
    ("[2606:4700:4700::1111]:80", Allowed(Public)),
    ("[2606:4700:4700:0:0:0:0:1111]:80", Allowed(Public)),
    ("[2001:db8::1]:80", Allowed(Private)),
    ("[fd12:3456::1]:80", Allowed(Ula)),
    ("[FD12:3456::1]:80", Allowed(Ula)),
    ("[fe80::1]:80", Allowed(LinkLocal)),
    ("[ff02::fb]:5353", Allowed(Multicast)),
    ("[100::1]:80", Reserved),
    ("[fec0::1]:80", Reserved),
    ("[4000::1]:80", Reserved),
    ("[5f00::1]:80", Reserved),

    // IPv6 as it is not written.
    ("[]:80", Malformed("not_ipv6")),
    ("[:]:80", Malformed("not_ipv6")),
    ("[:::]:80", Malformed("not_ipv6")),
    ("[1]:80", Malformed("not_ipv6")),
    ("[::1::]:80", Malformed("not_ipv6")),
    ("[1:2:3:4:5:6:7:8:9]:80", Malformed("not_ipv6")),
    ("[1:2:3:4:5:6:7]:80", Malformed("not_ipv6")),
    ("[::00001]:80", Malformed("not_ipv6")),
    ("[::g]:80", Malformed("not_ipv6")),
    ("[::１]:80", Malformed("not_ipv6")),
    ("[::ffff:127.1]:80", Malformed("not_ipv6")),
    ("[::ffff:0177.0.0.1]:80", Malformed("not_ipv6")),
    ("[::ffff:0x7f.0.0.1]:80", Malformed("not_ipv6")),
    ("[::ffff:127.0.0.01]:80", Malformed("not_ipv6")),
    ("[::ffff:256.0.0.1]:80", Malformed("not_ipv6")),
    ("[127.0.0.1]:80", Malformed("not_ipv6")),
    ("[169.254.169.254]:80", Malformed("not_ipv6")),
    ("[2130706433]:80", Malformed("not_ipv6")),
    ("[example.com]:80", Malformed("not_ipv6")),
    ("[metadata.google.internal]:80", Malformed("not_ipv6")),
    ("[localhost]:80", Malformed("not_ipv6")),
    ("[v1.fe80::a+en1]:80", Malformed("not_ipv6")),
    ("[[::1]]:80", Malformed("not_ipv6")),
    ("[[::1]:80", Malformed("not_ipv6")),
    ("[::1:80]:80", Allowed(Embedded)),
    ("[::1]]:80", Malformed("bracket")),
    ("[::1:80", Malformed("bracket")),
    ("[::1]x:80", Malformed("bracket")),
    ("[::1].:80", Malformed("bracket")),
    ("[::1]80", Malformed("bracket")),
    ("[", Malformed("bracket")),
    ("::1]:80", Malformed("doubled")),
    ("a[::1]:80", Malformed("doubled")),
    ("a]:80", Malformed("bracket")),
    ("::1", Malformed("unbracketed_ipv6")),
    ("::1:80", Malformed("unbracketed_ipv6")),
    ("::ffff:169.254.169.254", Malformed("unbracketed_ipv6")),
    ("fe80::1:80", Malformed("unbracketed_ipv6")),
    ("fe80::1%eth0:80", Malformed("unbracketed_ipv6")),
    ("2606:4700:4700:0:0:0:0:1111:80", Malformed("unbracketed_ipv6")),

    // Zones. Those of loopback exist everywhere; unknown ones are understood here and refused by the policy.
    ("[fe80::1%lo]:80", Allowed(LinkLocal)),
    ("[fe80::1%25lo]:80", Allowed(LinkLocal)),
    ("[fe80::1%1]:80", Allowed(LinkLocal)),
    ("[::1%lo]:80", Allowed(Loopback)),
    ("[::ffff:10.0.0.1%lo]:80", Allowed(Private)),
    ("[fe80::1%]:80", Malformed("zone")),
    ("[fe80::1%0]:80", Malformed("zone")),
    ("[fe80::1%00]:80", Malformed("zone")),
    ("[fe80::1%4294967296]:80", Malformed("zone")),
    ("[fe80::1%lo%lo]:80", Malformed("zone")),
    ("[fe80::1%2525%]:80", Malformed("zone")),
    ("[fe80::1%averylonginterface]:80", Malformed("zone")),
    ("[fe80::1%é]:80", Malformed("zone")),
    ("[fe80::1%lo:1]:80", Malformed("zone")),
    ("[%lo]:80", Malformed("not_ipv6")),
    ("[127.0.0.1%lo]:80", Malformed("not_ipv6")),
    ("[fe80::1]%lo:80", Malformed("bracket")),
    ("[fe80::1%/]:80", Malformed("path")),

    // IPv4 in IPv6: mapped is IPv4, everything else is embedded.
    ("[::ffff:127.0.0.1]:80", Allowed(Loopback)),
    ("[::ffff:7f00:1]:80", Allowed(Loopback)),
    ("[::FFFF:7F00:0001]:80", Allowed(Loopback)),
    ("[0:0:0:0:0:ffff:127.0.0.1]:80", Allowed(Loopback)),
    ("[::ffff:0.0.0.0]:80", Allowed(Unspecified)),
    ("[::ffff:192.168.1.1]:80", Allowed(Private)),
    ("[::ffff:1.1.1.1]:80", Allowed(Public)),
    ("[::ffff:240.0.0.1]:80", Reserved),
    ("[::127.0.0.1]:80", Allowed(Embedded)),
    ("[::192.168.1.1]:80", Allowed(Embedded)),
    ("[::ffff:0:10.0.0.1]:80", Allowed(Embedded)),
    ("[64:ff9b::10.0.0.1]:80", Allowed(Embedded)),
    ("[64:ff9b::1.1.1.1]:80", Allowed(Embedded)),
    ("[64:ff9b:1::10.0.0.1]:80", Allowed(Embedded)),
    ("[2002:a00:1::1]:80", Allowed(Embedded)),
    ("[2002:101:101::]:80", Allowed(Embedded)),
    ("[2001:0:4136:e378:8000:63bf:3fff:fdd2]:80", Allowed(Embedded)),
    ("[2001::1]:80", Allowed(Embedded)),
    ("[fe80::5efe:10.0.0.1]:80", Allowed(Embedded)),
    ("[2606:4700::200:5efe:1.1.1.1]:80", Allowed(Embedded)),

    // Metadata, as it is written.
    ("169.254.169.254:80", Metadata),
    ("169.254.170.2:80", Metadata),
    ("169.254.170.23:80", Metadata),
    ("169.254.0.23:80", Metadata),
    ("169.254.42.42:80", Metadata),
    ("100.100.100.200:80", Metadata),
    ("100.96.0.96:80", Metadata),
    ("192.0.0.192:80", Metadata),
    ("168.63.129.16:80", Metadata),
    ("168.63.129.16:32526", Metadata),
    ("169.254.169.254:7625", Metadata),
    ("[fd00:ec2::254]:80", Metadata),
    ("[FD00:0EC2:0:0:0:0:0:0254]:80", Metadata),
    ("[fd00:ec2::23]:80", Metadata),
    ("[fd20:ce::254]:80", Metadata),
    ("[fd00:c1::a9fe:a9fe]:80", Metadata),
    ("[fd00:c1::169.254.169.254]:80", Metadata),
    ("[fd00:42::42]:80", Metadata),
    ("[fe80::a9fe:a9fe]:80", Metadata),
    ("[fe80::a9fe:a9fe%lo]:80", Metadata),
    ("[fd00:ec2::254%lo]:80", Metadata),

    // Metadata, wrapped.
    ("[::ffff:169.254.169.254]:80", Metadata),
    ("[::ffff:a9fe:a9fe]:80", Metadata),
    ("[0:0:0:0:0:FFFF:A9FE:A9FE]:80", Metadata),
    ("[::ffff:169.254.169.254%lo]:80", Metadata),
    ("[::ffff:100.100.100.200]:80", Metadata),
    ("[::ffff:168.63.129.16]:80", Metadata),
    ("[::ffff:192.0.0.192]:80", Metadata),
    ("[::169.254.169.254]:80", Metadata),
    ("[::a9fe:a9fe]:80", Metadata),
    ("[::ffff:0:169.254.169.254]:80", Metadata),
    ("[64:ff9b::169.254.169.254]:80", Metadata),
    ("[64:ff9b::a9fe:a9fe]:80", Metadata),
    ("[0064:ff9b:0:0:0:0:a9fe:aa02]:80", Metadata),
    ("[64:ff9b:1::169.254.169.254]:80", Metadata),
    ("[64:ff9b:1:a9fe:a9:fe00::]:80", Metadata),
    ("[64:ff9b:1:a9:fe:a9fe::]:80", Metadata),
    ("[64:ff9b:1:0:a9:fea9:fe00:0]:80", Metadata),
    ("[64:ff9b:1:abcd:1:2:a9fe:a9fe]:80", Metadata),
    ("[2002:a9fe:a9fe::]:80", Metadata),
    ("[2002:a9fe:a9fe::1]:80", Metadata),
    ("[2002:a9fe:a9fe:ffff::dead:beef]:80", Metadata),
    ("[2002:6464:64c8::1]:80", Metadata),
    ("[2001:0:a9fe:a9fe::1]:80", Metadata),
    ("[2001::a9fe:a9fe:0:0:0:1]:80", Metadata),
    ("[2001:0:4136:e378:8000:63bf:5601:5601]:80", Metadata),
    ("[fe80::5efe:169.254.169.254]:80", Metadata),
    ("[fe80::200:5efe:169.254.169.254]:80", Metadata),
    ("[2606:4700::5efe:a9fe:a9fe]:80", Metadata),
    ("[fd12::200:5efe:a9fe:a9fe]:80", Metadata),

    // Metadata, by name.
    ("metadata.google.internal:80", MetadataName),
    ("Metadata.Google.Internal:80", MetadataName),
    ("metadata.google.internal.:80", MetadataName),
    ("metadata。google。internal:80", MetadataName),
    ("ｍetadata.google.internal:80", MetadataName),
    ("ⓜⓔⓣⓐⓓⓐⓣⓐ.google.internal:80", MetadataName),
    ("meta\u{ad}data.google.internal:80", MetadataName),
    ("meta\u{200b}data.google.internal:80", MetadataName),
    ("metadata:80", MetadataName),
    ("METADATA.:80", MetadataName),
    ("metadata.goog:80", MetadataName),
    ("instance-data:80", MetadataName),
    ("instance-data.ec2.internal:80", MetadataName),
    ("metadata.tencentyun.com:80", MetadataName),

    // Our own control port, at every way to this host.
    ("127.0.0.1:7625", Control),
    ("127.0.0.2:7625", Control),
    ("127.255.255.255:7625", Control),
    ("0.0.0.0:7625", Control),
    ("[::]:7625", Control),
    ("[::1]:7625", Control),
    ("[::1%lo]:7625", Control),
    ("[::ffff:127.0.0.1]:7625", Control),
    ("[::ffff:7f00:1]:7625", Control),
    ("[::ffff:127.0.0.1%lo]:7625", Control),
    ("[::ffff:0.0.0.0]:7625", Control),
    ("[::ffff:0:127.0.0.1]:7625", Control),
    ("[::127.0.0.1]:7625", Control),
    ("[64:ff9b::127.0.0.1]:7625", Control),
    ("[64:ff9b::]:7625", Control),
    ("[64:ff9b:1::127.0.0.1]:7625", Control),
    ("[64:ff9b:1:7f00:0:100::]:7625", Control),
    ("[2002:7f00:1::1]:7625", Control),
    ("[2001:0:7f00:1::]:7625", Control),
    ("[2001:0:4136:e378:8000:63bf:80ff:fffe]:7625", Control),
    ("[fe80::5efe:127.0.0.1]:7625", Control),
    ("localhost:7625", Control),
    ("LOCALHOST.:7625", Control),
    ("anything.localhost:7625", Control),
    ("ｌocalhost:7625", Control),
    ("1.1.1.1:7625", Allowed(Public)),
    ("127.0.0.1:7624", Allowed(Loopback)),

    // Names.
    ("example.com:80", Name("example.com")),
    ("EXAMPLE.com.:80", Name("example.com")),
    ("redis:6379", Name("redis")),
    ("my_service.internal:80", Name("my_service.internal")),
    ("_dmarc.example.com:80", Name("_dmarc.example.com")),
    ("bücher.example:80", Name("xn--bcher-kva.example")),
    ("BÜCHER.example:80", Name("xn--bcher-kva.example")),
    ("faß.example:80", Name("xn--fa-hia.example")),
    ("例え.テスト:80", Name("xn--r8jz45g.xn--zckzah")),
    ("例え。テスト:80", Name("xn--r8jz45g.xn--zckzah")),
    ("xn--r8jz45g.xn--zckzah:80", Name("xn--r8jz45g.xn--zckzah")),
    ("ｅｘａｍｐｌｅ．ｃｏｍ:80", Name("example.com")),
    ("1e100.net:80", Name("1e100.net")),
    ("127.0.0.1.nip.io:80", Name("127.0.0.1.nip.io")),
    ("169.254.169.254.example:80", Name("169.254.169.254.example")),
    ("127.0.0.1a:80", Name("127.0.0.1a")),
    ("0x7f.example:80", Name("0x7f.example")),
    ("0xg:80", Name("0xg")),
    ("a--b.example:80", Name("a--b.example")),
    ("metadata.google.internal.example:80", Name("metadata.google.internal.example")),
    ("notmetadata:80", Name("notmetadata")),
    ("xn--:80", Malformed("unicode")),
    ("xn--a.example:80", Malformed("unicode")),
    ("xn--127-.example:80", Malformed("unicode")),
    ("exa\u{301}\u{200d}mple.com:80", Malformed("unicode")),
    ("-a.example:80", Malformed("hyphen")),
    ("a-.example:80", Malformed("hyphen")),
    ("-:80", Malformed("hyphen")),
    (".:80", Malformed("empty_label")),
    ("..:80", Malformed("empty_label")),
    (".example.com:80", Malformed("empty_label")),
    ("example..com:80", Malformed("empty_label")),
    ("example.com..:80", Malformed("empty_label")),
    ("。:80", Malformed("empty_label")),
    ("a*b.example:80", Malformed("character")),
    ("*.example:80", Malformed("character")),
    ("exam'ple.com:80", Malformed("character")),
    ("$(id).example:80", Malformed("character")),
    ("<b>.example:80", Malformed("character")),
    ("{a}.example:80", Malformed("character")),
    ("example.com|x:80", Malformed("character")),
    ("a／b.example:80", Malformed("character")),
    ("a＠b.example:80", Malformed("character")),
    ("example.com：80:80", Malformed("character")),

    // What else a URL may have.
    ("user@127.0.0.1:80", Malformed("userinfo")),
    ("user:pass@127.0.0.1:80", Malformed("userinfo")),
    ("1.1.1.1@169.254.169.254:80", Malformed("userinfo")),
    ("@127.0.0.1:80", Malformed("userinfo")),
    ("127.0.0.1:80/", Malformed("path")),
    ("127.0.0.1:80/latest/meta-data", Malformed("path")),
    ("127.0.0.1/:80", Malformed("path")),
    ("/127.0.0.1:80", Malformed("path")),
    ("1.1.1.1\\@127.0.0.1:80", Malformed("path")),
    ("127.0.0.1:80?a=b", Malformed("query")),
    ("127.0.0.1:80#a", Malformed("fragment")),
    ("1.1.1.1#@127.0.0.1:80", Malformed("fragment")),
    (" 127.0.0.1:80", Malformed("whitespace")),
    ("127.0.0.1:80 ", Malformed("whitespace")),
    ("127.0.0.1 :80", Malformed("whitespace")),
    ("127.0.0.1\u{3000}:80", Malformed("whitespace")),
    ("127.0.0.1\u{2028}:80", Malformed("whitespace")),
    ("127.0.0.1\t:80", Malformed("control_character")),
    ("127.0.0.1:80\n", Malformed("control_character")),
    ("127.0.0.1:80\r\nHost: x", Malformed("control_character")),
    ("127.0.0.1\0.example:80", Malformed("control_character")),
    ("\u{1b}[2J:80", Malformed("control_character")),
    ("127.0.0.1\u{85}:80", Malformed("control_character")),

    // Ports.
    ("127.0.0.1", Malformed("port_missing")),
    ("127.0.0.1:", Malformed("port_missing")),
    ("[::1]", Malformed("port_missing")),
    ("[::1]:", Malformed("port_missing")),
    ("", Malformed("port_missing")),
    (":", Malformed("port_missing")),
    ("127.0.0.1:65536", Malformed("out_of_range")),
    ("127.0.0.1:73161", Malformed("out_of_range")),
    ("127.0.0.1:18446744073709551617", Malformed("out_of_range")),
    ("127.0.0.1:080", Malformed("leading_zero")),
    ("127.0.0.1:00", Malformed("leading_zero")),
    ("127.0.0.1:07625", Malformed("leading_zero")),
    ("127.0.0.1:+80", Malformed("not_a_number")),
    ("127.0.0.1:-80", Malformed("not_a_number")),
    ("127.0.0.1:0x50", Malformed("not_a_number")),
    ("127.0.0.1:8e1", Malformed("not_a_number")),
    ("127.0.0.1:80.0", Malformed("not_a_number")),
    ("127.0.0.1:http", Malformed("not_a_number")),
    ("127.0.0.1:８０", Malformed("not_a_number")),
    ("127.0.0.1:８０80", Malformed("not_a_number")),
    ("127.0.0.1:80,81", Malformed("not_a_number")),
    ("127.0.0.1:80-90", Malformed("not_a_number")),
    ("127.0.0.1:80:80", Malformed("doubled")),
    ("127.0.0.1::80", Malformed("doubled")),
    ("example.com:80:7625", Malformed("doubled")),
    ("[::1]:80:80", Malformed("not_a_number")),
    ("[::1]::80", Malformed("not_a_number")),
];

/// What is fine to bind and nothing to dial.
const TO_BIND_ONLY: &[(&str, &str)] =
    &[(":80", "host_missing"), (":0", "host_missing"), ("127.0.0.1:0", "zero"), ("[::]:0", "zero")];

fn policy() -> Policy {
    Policy::new(PolicyConfig {
        control: vec![(Ipv4Addr::LOCALHOST, CONTROL_PORT).into()],
        listen_ports: None,
        default_listen_host: Ipv4Addr::LOCALHOST.into(),
    })
}

/// Does what a session would do with a spelling that was read, and compares. There is no name server: a name that
/// gets as far as being looked up fails, unless it is an address after all.
async fn judge(text: &str, read: Result<(Host, u16), TargetError>, purpose: Purpose, expect: Expect) {
    let context = format!("{text:?} for {purpose:?}");
    let (host, port) = match (read, expect) {
        (Err(error), Malformed(reason)) => return assert_eq!(error.reason(), reason, "{context}: {error}"),
        (Err(error), _) => panic!("{context}: {error}, expected {expect:?}"),
        (Ok(read), Malformed(_)) => panic!("{context}: read as {read:?}, expected {expect:?}"),
        (Ok(read), _) => read,
    };
    let result = policy().targets(&Resolver::with_servers(Vec::new()), &host, port, purpose).await;
    match (expect, &result) {
        (Name(name), Err(Refusal::Resolve(_))) => assert_eq!(host, Host::Name(name.into()), "{context}"),
        (MetadataName, Err(Refusal::Denied(denied))) => {
            assert!(denied.iter().all(|denial| denial.rule == rule::METADATA_NAME), "{context}: {denied:?}");
        }
        (Metadata, Err(Refusal::Denied(denied))) => {
            let [denial] = &denied[..] else { panic!("{context}: {denied:?}") };
            assert_eq!((denial.rule, denial.class), (rule::METADATA, Some(Class::Metadata)), "{context}");
        }
        (Control, Err(Refusal::Denied(denied))) => {
            let control = |class| class == Some(Class::SelfControl);
            let all = denied.iter().all(|denial| denial.rule == rule::SELF_CONTROL && control(denial.class));
            assert!(all && !denied.is_empty(), "{context}: {denied:?}");
        }
        (Reserved, Err(Refusal::Denied(denied))) => assert_eq!(denied[0].rule, rule::RESERVED, "{context}"),
        (Allowed(class), Ok(checked)) => {
            let [address] = &checked.allowed[..] else { panic!("{context}: {checked:?}") };
            let Host::Ip { addr, .. } = host else { panic!("{context}: {host:?} is no address") };
            assert_eq!(classify(addr), class, "{context}");
            assert_eq!(
                (address.get().ip(), address.get().port()),
                (addr, port),
                "{context}: dialled as written"
            );
            assert_eq!((checked.denied.len(), &checked.resolved), (0, &None), "{context}");
        }
        // Which addresses may be bound is the kernel's to say, and which ports ours.
        (Reserved, Ok(_)) if purpose == Purpose::Bind => {}
        _ => panic!("{context}: {result:?}, expected {expect:?}"),
    }
}

#[test]
fn the_corpus_is_large_and_without_repetition() {
    let mut texts: Vec<_> = CORPUS.iter().map(|(text, _)| text).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), CORPUS.len());
    assert!(CORPUS.len() >= 200, "{}", CORPUS.len());
}

#[tokio::test]
async fn every_spelling_becomes_what_it_should_for_every_kind_of_socket() {
    for &(text, expect) in CORPUS {
        for (scheme, purpose) in [
            ("tcp", Purpose::Connect),
            ("udp", Purpose::Connect),
            ("tcp-listen", Purpose::Bind),
            ("udp-bind", Purpose::Bind),
        ] {
            let read = format!("{scheme}://{text}").parse::<Target>();
            assert!(read.as_ref().map_or(true, |target| target.scheme.to_string() == scheme));
            // Any address may be asked to be bound at any port but the control port.
            let expect = match expect {
                Allowed(_) if purpose == Purpose::Bind && text.ends_with(":7625") => Control,
                expect => expect,
            };
            judge(text, read.map(|target| (target.host, target.port)), purpose, expect).await;
        }
        judge(text, parse_endpoint(text), Purpose::SendTo, expect).await;
    }
}

#[test]
fn what_is_fine_to_bind_is_nothing_to_dial() {
    for (text, reason) in TO_BIND_ONLY {
        for scheme in ["tcp", "udp"] {
            let error = format!("{scheme}://{text}").parse::<Target>().expect_err(text);
            assert_eq!(error.reason(), *reason, "{scheme}://{text}");
        }
        assert_eq!(parse_endpoint(text).expect_err(text).reason(), *reason, "{text}");
        for scheme in ["tcp-listen", "udp-bind"] {
            assert!(format!("{scheme}://{text}").parse::<Target>().is_ok(), "{scheme}://{text}");
        }
    }
}

/// The corpus again, from the other side: whatever the platform's own resolver or parser would make of a row, we dial
/// nothing but what is written.
#[test]
fn a_text_that_is_an_address_to_us_is_the_same_address_to_everybody() {
    for (text, _) in CORPUS {
        if let Ok((Host::Ip { addr, zone: None }, port)) = parse_endpoint(text) {
            let host = text.rsplit_once(':').expect("a port").0.trim_matches(['[', ']']);
            assert_eq!(host.parse::<IpAddr>(), Ok(addr), "{text}");
            assert_eq!(text.parse::<std::net::SocketAddr>(), Ok((addr, port).into()), "{text}");
        }
    }
}
