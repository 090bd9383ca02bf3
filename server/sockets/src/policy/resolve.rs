//! Names to addresses, once, by our own resolver.
//!
//! Not libc's: it takes numeric spellings for addresses, blocks a thread for as long as it likes, and does not say
//! whether a name is unknown, has no address or could not be asked for. Here a name is asked for A and AAAA at the same
//! time, within three seconds in all, and the answer is not kept: what DNS says now is what is judged and dialled now.

use std::collections::HashSet;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{Hosts, TokioResolver};
use tokio::time::{Instant, timeout_at};

/// How long a name may take, whatever happens.
const LIMIT: Duration = Duration::from_secs(3);
/// How long one question waits before it is asked again.
const ATTEMPT: Duration = Duration::from_secs(1);
/// How long the second family is waited for when the first has answered with addresses. RFC 8305 §3 waits 50 ms and
/// takes what comes later into the race; we answer once, so we wait longer. Some name servers never answer to AAAA.
const SECOND_FAMILY: Duration = Duration::from_millis(500);
/// The most addresses that are looked at; a name with more loses the rest, evenly from both families.
const ANSWERS_MAX: usize = 16;

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// DNS says that there is no such name.
    #[error("there is no such name")]
    NameNotFound,
    /// The name exists and has no address.
    #[error("the name has no address")]
    NoAddress,
    /// No name server answered in time.
    #[error("no name server answered in time")]
    TimedOut,
    /// A name server answered with an error, or none could be asked.
    #[error("the name could not be looked up: {0}")]
    Failed(String),
    /// The zone of an IPv6 address is no interface of this host.
    #[error("there is no such interface")]
    UnknownZone,
}

impl ResolveError {
    /// The name of the error as getaddrinfo(3) and the kernel have it.
    #[must_use]
    pub const fn errno(&self) -> &'static str {
        match self {
            Self::NameNotFound => "EAI_NONAME",
            Self::NoAddress => "EAI_NODATA",
            Self::TimedOut => "EAI_AGAIN",
            Self::Failed(_) => "EAI_FAIL",
            Self::UnknownZone => "ENODEV",
        }
    }
}

/// Resolves names. Holds nothing but configuration.
#[derive(Debug)]
pub struct Resolver {
    source: Source,
    limit: Duration,
}

#[derive(Debug)]
enum Source {
    /// As the system is configured; read again when its files have changed, because a machine that moves to another
    /// network has other name servers there.
    System { files: [PathBuf; 2], loaded: Mutex<Option<(Stamp, Arc<Client>)>> },
    /// As given.
    Given(Arc<Client>),
}

const RESOLV_CONF: &str = "/etc/resolv.conf";
const HOSTS: &str = "/etc/hosts";

/// What tells one state of the two configuration files from another: inode, length and time of change of each.
type Stamp = [Option<(u64, u64, i64, i64)>; 2];

#[derive(Debug)]
struct Client {
    /// An error stands for a configuration without a usable name server; names in the hosts file still work.
    dns: Result<TokioResolver, ResolveError>,
    hosts: Hosts,
}

impl Resolver {
    /// Asks whom the system would ask: /etc/hosts, then the name servers of /etc/resolv.conf with its search list.
    #[must_use]
    pub fn system() -> Self {
        Self::configured([RESOLV_CONF, HOSTS].map(PathBuf::from))
    }

    fn configured(files: [PathBuf; 2]) -> Self {
        Self { source: Source::System { files, loaded: Mutex::new(None) }, limit: LIMIT }
    }

    /// Asks these name servers, after /etc/hosts; there is no search list.
    #[must_use]
    pub fn with_servers(servers: Vec<SocketAddr>) -> Self {
        let servers = servers.into_iter().map(|server| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|connection| connection.port = server.port());
            NameServerConfig::new(server.ip(), true, connections)
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let client = Client::new(Ok((config, ResolverOpts::default())), Path::new(HOSTS));
        Self { source: Source::Given(Arc::new(client)), limit: LIMIT }
    }

    /// The same resolver with another limit on the whole of a resolution, instead of three seconds.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The addresses of a name (written as [`crate::target::Host::Name`] has it): at least one, at most 16, each once,
    /// families alternating.
    ///
    /// # Errors
    ///
    /// When there is no address, told apart by reason. An error in one family is none if the other has addresses.
    pub async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        // The names of this host are not DNS's to say (RFC 6761 §6.3).
        if name == "localhost" || name.ends_with(".localhost") {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        let client = self.client();
        let name = Name::from_ascii(name).map_err(|error| ResolveError::Failed(error.to_string()))?;
        let addresses = match client.listed(&name) {
            listed if !listed.is_empty() => listed,
            _ => client.ask(&name, Instant::now() + self.limit).await?,
        };
        Ok(bounded(addresses))
    }

    fn client(&self) -> Arc<Client> {
        let (files, loaded) = match &self.source {
            Source::Given(client) => return Arc::clone(client),
            Source::System { files, loaded } => (files, loaded),
        };
        let now = files.each_ref().map(|path| {
            let file = fs::metadata(path).ok()?;
            Some((file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
        });
        // Whoever panicked while holding it left the old client or none: both are sound.
        let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
        match &*loaded {
            Some((then, client)) if *then == now => Arc::clone(client),
            _ => {
                let [resolv_conf, hosts] = files;
                let config = fs::read(resolv_conf).map_err(NetError::from).and_then(parse_resolv_conf);
                let client = Arc::new(Client::new(config, hosts));
                *loaded = Some((now, Arc::clone(&client)));
                client
            }
        }
    }
}

impl Client {
    fn new(config: Result<(ResolverConfig, ResolverOpts), NetError>, hosts: &Path) -> Self {
        let build = |(config, mut options): (ResolverConfig, ResolverOpts)| {
            options.timeout = ATTEMPT;
            // Asked again twice: that fills the limit.
            options.attempts = 2;
            options.cache_size = 0;
            // Its way of reading the file asks DNS for the family the file does not list; ours does not.
            options.use_hosts_file = ResolveHosts::Never;
            let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            *builder.options_mut() = options;
            builder.build()
        };
        let dns = config.and_then(build).map_err(|error| ResolveError::Failed(error.to_string()));
        let mut listed = Hosts::default();
        // Without the file, or after a line that cannot be read, there is nothing (more) to know from it.
        if let Err(error) = File::open(hosts).and_then(|file| listed.read_hosts_conf(file)) {
            tracing::debug!(%error, file = %hosts.display(), "no hosts file");
        }
        Self { dns, hosts: listed }
    }

    /// What the hosts file says. As with libc, a name that is listed is not asked for, not even in the other family.
    fn listed(&self, name: &Name) -> Vec<IpAddr> {
        let find = |family| self.hosts.lookup_static_host(&Query::query(name.clone(), family));
        [RecordType::AAAA, RecordType::A]
            .into_iter()
            .filter_map(find)
            .flat_map(|found| addresses(&found))
            .collect()
    }

    /// Asks DNS for both families at once.
    async fn ask(&self, name: &Name, deadline: Instant) -> Result<Vec<IpAddr>, ResolveError> {
        let dns = self.dns.as_ref().map_err(Clone::clone)?;
        let family = async |family| match timeout_at(deadline, dns.lookup(name.clone(), family)).await {
            Ok(Ok(found)) => match addresses(&found) {
                found if found.is_empty() => Err(ResolveError::NoAddress),
                found => Ok(found),
            },
            Ok(Err(error)) => Err(failure(error)),
            Err(_) => Err(ResolveError::TimedOut),
        };
        let both = select(Box::pin(family(RecordType::AAAA)), Box::pin(family(RecordType::A))).await;
        let (Either::Left((first, second)) | Either::Right((first, second))) = both;
        let patience = if first.is_ok() { deadline.min(Instant::now() + SECOND_FAMILY) } else { deadline };
        let second = timeout_at(patience, second).await.unwrap_or(Err(ResolveError::TimedOut));
        together(first, second)
    }
}

/// What two families say of one name.
fn together(
    one: Result<Vec<IpAddr>, ResolveError>,
    other: Result<Vec<IpAddr>, ResolveError>,
) -> Result<Vec<IpAddr>, ResolveError> {
    use ResolveError::{Failed, NameNotFound, NoAddress};
    match (one, other) {
        (Ok(mut one), Ok(other)) => {
            one.extend(other);
            Ok(one)
        }
        (Ok(found), Err(_)) | (Err(_), Ok(found)) => Ok(found),
        // A name that has other records exists, whatever a broken server says of one family (RFC 4074 §4.2).
        (Err(NoAddress), Err(NoAddress | NameNotFound)) | (Err(NameNotFound), Err(NoAddress)) => {
            Err(NoAddress)
        }
        // That a name does not exist is true of all its families.
        (Err(NameNotFound), Err(_)) | (Err(_), Err(NameNotFound)) => Err(NameNotFound),
        // Half an answer is none.
        (Err(failed @ Failed(_)), Err(_)) | (Err(_), Err(failed @ Failed(_))) => Err(failed),
        (Err(NoAddress), Err(error)) | (Err(error), Err(_)) => Err(error),
    }
}

fn addresses(found: &Lookup) -> Vec<IpAddr> {
    let address = |data: &RData| match data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    };
    found.answers().iter().filter_map(|record| address(&record.data)).collect()
}

fn failure(error: NetError) -> ResolveError {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => ResolveError::NameNotFound,
            ResponseCode::NoError => ResolveError::NoAddress,
            code => ResolveError::Failed(code.to_string()),
        },
        NetError::Timeout => ResolveError::TimedOut,
        error => ResolveError::Failed(error.to_string()),
    }
}

/// Each address once, families alternating, no more than [`ANSWERS_MAX`].
fn bounded(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut seen = HashSet::new();
    let once = addresses.into_iter().filter(|&address| seen.insert(address)).collect();
    let mut order = alternate(once, IpAddr::is_ipv6);
    if order.len() > ANSWERS_MAX {
        tracing::debug!(answers = order.len(), kept = ANSWERS_MAX, "a name has too many addresses");
        order.truncate(ANSWERS_MAX);
    }
    order
}

/// The order to try addresses in: families alternate, IPv6 first, within a family as they came (RFC 8305 §4).
pub(super) fn alternate<T>(addresses: Vec<T>, is_ipv6: impl Fn(&T) -> bool) -> Vec<T> {
    let (v6, v4): (Vec<_>, Vec<_>) = addresses.into_iter().partition(is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let pairs =
        std::iter::from_fn(|| Some([v6.next(), v4.next()]).filter(|pair| pair.iter().any(Option::is_some)));
    pairs.flatten().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes with the test.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0); // only a temporary folder
        }
    }

    #[tokio::test]
    async fn the_hosts_file_is_asked_first_and_read_again_when_it_changes() {
        let folder = Folder(std::env::temp_dir().join(format!("sockscope-resolve-{}", std::process::id())));
        fs::create_dir_all(&folder.0).expect("a temporary folder");
        let files = ["resolv.conf", "hosts"].map(|name| folder.0.join(name));
        let hosts = files[1].clone();
        let resolver = Resolver::configured(files);
        let error = resolver.resolve("one.example").await.expect_err("nobody to ask");
        assert_eq!(error.errno(), "EAI_FAIL", "{error}");
        fs::write(
            &hosts,
            "10.0.0.1 One.example two.example # ten\n169.254.169.254 one.example\nnonsense x\n",
        )
        .expect("a file");
        let both = vec![IpAddr::from([10, 0, 0, 1]), IpAddr::from([169, 254, 169, 254])];
        assert_eq!(
            resolver.resolve("one.example").await,
            Ok(both),
            "whether it may be dialled is for the policy"
        );
        assert_eq!(resolver.resolve("two.example").await.map(|found| found.len()), Ok(1));
        fs::write(&hosts, "::1 one.example\n").expect("a file");
        assert_eq!(resolver.resolve("one.example").await, Ok(vec![Ipv6Addr::LOCALHOST.into()]));
        assert!(resolver.resolve("two.example").await.is_err());
    }

    #[test]
    fn two_families_make_one_answer() {
        use ResolveError::{Failed, NameNotFound, NoAddress, TimedOut};
        let found = || Ok(vec![IpAddr::from([10, 0, 0, 1])]);
        let failed = || Failed("Server Failure".into());
        for error in [NameNotFound, NoAddress, TimedOut, failed()] {
            assert_eq!(together(found(), Err(error)), found(), "half an answer is an answer");
        }
        for (one, other, expected) in [
            (NameNotFound, NameNotFound, NameNotFound),
            (NoAddress, NoAddress, NoAddress),
            (TimedOut, TimedOut, TimedOut),
            (NameNotFound, NoAddress, NoAddress),
            (NameNotFound, TimedOut, NameNotFound),
            (NameNotFound, failed(), NameNotFound),
            (NoAddress, TimedOut, TimedOut),
            (NoAddress, failed(), failed()),
            (TimedOut, failed(), failed()),
        ] {
            for (one, other) in [(one.clone(), other.clone()), (other, one)] {
                let context = format!("{one} + {other}");
                assert_eq!(together(Err(one), Err(other)), Err(expected.clone()), "{context}");
            }
        }
    }
}
