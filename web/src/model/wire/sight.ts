import type { KernelSight } from '../../wire/generated';

/** How deep the server sees: its own descriptors, any socket of this machine, the segments themselves. */
export const SIGHT_LEVELS = [1, 2, 3] as const;

/** One of them. */
export type SightLevel = (typeof SIGHT_LEVELS)[number];

/** The source of facts of a level. */
export function sourceOf(sight: KernelSight, level: SightLevel): KernelSight['segments'] {
  return level === 3 ? sight.segments : level === 2 ? sight.sock_diag : sight.tcp_info;
}

/** The highest level that is active; 0 for none. */
export function levelOf(sight: KernelSight): SightLevel | 0 {
  return sight.segments.active ? 3 : sight.sock_diag.active ? 2 : sight.tcp_info.active ? 1 : 0;
}

/** A way to see segments. */
export interface Way {
  readonly id: 'setcap' | 'once' | 'docker' | 'podman' | 'namespace';
  readonly command: string;
}

const IMAGE = '-p 127.0.0.1:7625:7625 --read-only --security-opt no-new-privileges --pids-limit 256 --memory 768m';

/** Docker gives a user that is not root no ambient capability, so it must be root, with nothing but this one. */
const container = (program: string): string => `${program} run --rm --name sockscope --user 0 --cap-drop ALL --cap-add NET_RAW ${IMAGE} sockscope`;

/** The ways, the simplest that fits this server first. */
export function waysOf(sight: KernelSight): Way[] {
  const binary: Way[] = [
    { id: 'setcap', command: 'sudo setcap cap_net_raw+ep ./sockscope' },
    { id: 'once', command: 'sudo setpriv --reuid "$(id -u)" --regid "$(id -g)" --init-groups --inh-caps +net_raw --ambient-caps +net_raw ./sockscope' },
    { id: 'namespace', command: "unshare --user --map-root-user --net sh -c 'ip link set lo up; exec ./sockscope'" },
  ];
  const containers: Way[] = [
    { id: 'docker', command: container('docker') },
    { id: 'podman', command: container('podman') },
  ];
  return sight.container ? [...containers, ...binary] : [...binary, ...containers];
}
