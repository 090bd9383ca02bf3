import type { SightMessages } from './sight.en';

/** What is said of how much of the kernel can be seen, in Chinese. */
export const sight: SightMessages = {
  title: '内核能让人看到什么',
  badge: (level) => `内核：第 ${String(level)} 级，共 3 级`,
  badgeLabel: (level, name) => `${sight.badge(level)}，${name}。了解更多`,
  intro: 'sockscope 驱动套接字，并显示内核和线路对它们做了什么。能看到多少，取决于此服务器有什么权限。',
  active: '已启用',
  inactive: '不可用',
  because: (errno) => `不可用：${errno}`,
  none: '什么也看不到',
  levels: {
    1: { name: '自己的套接字', says: '在此打开的每个套接字的 TCP_INFO、队列和选项：往返时间、拥塞窗口、重传。无需特权。' },
    2: { name: '两端的状态', says: '按地址向内核询问连接两端的状态（NETLINK_SOCK_DIAG），关闭之后也能问：FIN_WAIT_2、TIME_WAIT 及剩余时间、接受队列、谁持有另一端。无需特权。' },
    3: { name: '报文段', says: '通过数据包套接字看到线路上的每个报文段：序号、标志、窗口和字节。只需要 CAP_NET_RAW。' },
  },
  how: '如何看到报文段',
  howContainer: '此服务器运行在容器中，因此先列出容器的办法。',
  have: '能看到的都已看到。',
  only: '服务器只抓取属于本工作区套接字的内容，以及它们发出的内容。',
  ways: {
    setcap: { name: '二进制文件，一劳永逸', says: '最简单：权能记在文件上，谁启动都有效。重新构建或复制文件后会失去；以 nosuid 挂载的文件系统会忽略它。' },
    once: { name: '仅此一次运行', says: '以你自己的身份启动，只带这一项（环境）权能；文件保持原样。' },
    namespace: { name: '完全不用特权', says: '在它自己的网络命名空间中运行，你在其中是 root。那里只有它自己的回环接口：能看到练习对端和彼此相连的套接字，此外什么也到不了；页面也只能由同一命名空间里的浏览器打开（nsenter）。' },
    docker: { name: '使用 Docker', says: 'Docker 不会给非 root 用户任何权能，加了也没用；所以以 root 运行，只保留这一项权能。看到的是容器自己的网络。' },
    podman: { name: '使用 Podman', says: '相同；不以 root 运行时，在容器外仍是你自己的用户。' },
  },
  copy: '复制',
  copyLabel: (name) => `复制命令：${name}`,
  restart: '然后重新启动服务器。',
};
