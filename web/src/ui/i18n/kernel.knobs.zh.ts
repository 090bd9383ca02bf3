import type { KernelMessages } from './kernel.en';

const n = (count: number): string => count.toLocaleString('en');

/** 套接字选项说的话。 */
export const knobs: KernelMessages['knobs'] = {
  range: (min, max) => `${n(min)} 到 ${n(max)}`,
  asks: '以字节计；实际授予多少由内核决定',
  wrong: (min, max) => `范围：${n(min)} 到 ${n(max)}。`,
  now: '当前生效',
  asked: '要求',
  granted: '得到',
  says: {
    connect_timeout_ms: '连接最多用多少毫秒，所有地址加在一起。',
    reuse_addr: 'SO_REUSEADDR：端口上还有 TIME_WAIT 的旧连接时也可以绑定，前提是旧连接也设置了它。',
    backlog: 'listen(backlog)：最多多少条已完成的连接等待 accept，上限是 net.core.somaxconn。',
    read_size: '一次 recv 最多返回多少字节：越小，流被切成的读取越多。',
    nodelay: 'TCP_NODELAY：打开则小报文段立刻发出；关闭则先等确认（Nagle 算法）。',
    keepalive: 'SO_KEEPALIVE：内核会探测沉默的对端。',
    keepalive_idle_s: 'TCP_KEEPIDLE：沉默多少秒后发出第一次探测。',
    keepalive_interval_s: 'TCP_KEEPINTVL：无人回应时两次探测相隔多少秒。',
    keepalive_count: 'TCP_KEEPCNT：多少次探测无人回应就放弃。',
    user_timeout_ms: 'TCP_USER_TIMEOUT：发出的字节最多多少毫秒得不到确认；0 表示用系统的。',
    recv_buffer: 'SO_RCVBUF：还没读的字节的空间，也决定窗口大小。Linux 会把要求的值加倍。',
    send_buffer: 'SO_SNDBUF：还没确认的字节的空间。Linux 会把要求的值加倍。',
    cork: 'TCP_CORK：只发满的报文段，直到取消它，或者过了 200 毫秒。',
    quickack: 'TCP_QUICKACK：立刻确认，不等有数据时捎带；内核可能自行改变。',
    maxseg: 'TCP_MAXSEG：一个报文段最多的数据量；连接前会告诉对端，之后只能变小。',
    reading: '关闭：没有人调用 recv。接收队列填满，窗口关闭，发送方的队列填满，它的坚持定时器启动。',
    accepting: '关闭：没有人调用 accept。连接照样建立，在内核的队列里等待。',
    broadcast: 'SO_BROADCAST：可以发往广播地址。',
    ipv6_only: 'IPV6_V6ONLY：不通过映射地址接受 IPv4 连接。',
  },
  opening: {
    button: '选项',
    count: (count) => `选项（${n(count)}）`,
    title: '打开时设置的选项',
    hint: '在 connect 或 listen 之前设置；为下一个套接字保留在这里，直到被拿掉。',
    add: '添加',
    remove: (name) => `拿掉 ${name}`,
    none: '没有：使用默认值。',
    other: '以下选项不适用于这种套接字，不会使用：',
  },
};
