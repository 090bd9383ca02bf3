import type { LessonMessages } from './lessons.en';
import { http } from './lessons.http.zh';

const s = (seconds: number): string => `${String(seconds)} 秒`;

const heartbeat: LessonMessages['heartbeat'] = {
  title: '心跳',
  lead: '防火墙和地址转换设备（NAT）都有一张连接表，会忘掉长时间沉默的连接，而且谁也不通知。这里就有这样一个中间设备，四条连接从它中间穿过，它们只有一点不同：靠什么保持存活。',
  settings: '本次运行的设置',
  fields: {
    idle: { label: '中间设备多久后忘记', hint: '现实中：几分钟到几小时。RFC 5382 要求至少 2 小时 4 分，但并非都遵守。' },
    silence: { label: '大家沉默多久', hint: '要比中间设备记得的时间长，否则什么也看不到。' },
    watch: { label: '随后等待答复', hint: '四条连接都问过“还在吗？”之后，再观察多久。' },
    userTimeout: { label: 'TCP_USER_TIMEOUT', hint: '为四条连接设定上限：发出的字节最多多久得不到确认。它也决定保活探测无人回应多久才算数。' },
  },
  seconds: '秒',
  number: '需要一个整数。',
  range: (min, max) => `范围：${s(min)}到 ${s(max)}。`,
  start: '开始运行四条连接',
  again: '再运行一次',
  stop: '停止',
  notLive: '需要先连上服务器。',
  behind: '日志还在回放，现在运行会滞后。',
  socket: (lane) => `心跳：${lane}`,
  phases: {
    none: '',
    starting: '正在启动回显对端、中间设备和四条连接……',
    silent: (left) => `沉默中。除了心跳，还有 ${left} 谁也不说话。`,
    asking: (left) => `四条连接都问了“还在吗？”，最多再观察 ${left}。`,
    done: '运行结束，套接字已关闭；每一次调用都在仪器的时间线里。',
    stopped: '已停止。此前测得的结果保留，但本次运行不完整。',
    failed: '运行中断。此前测得的结果保留，但本次运行不完整。',
  },
  faults: {
    restarted: '服务器重启了，它的套接字都不在了。',
    quiet: '十秒之内，不是每条连接都收到了第一次回显。',
    lost: '沉默还没开始，就有一条连接结束了。',
  },
  hidden: '运行期间这个标签页曾被隐藏。浏览器会放慢隐藏标签页的时钟，心跳可能因此迟到：这是浏览器造成的，与网络无关。',
  axis: '自第一条连接建立以来的时间',
  lanes: {
    nothing: {
      name: '什么都不做',
      says: () => '和大多数程序打开套接字的方式一样。没有人说话时，TCP 也不说话：空闲的连接一个包都不发，在中间设备看来就像被遗弃了。',
    },
    slow: {
      name: 'keepalive，太慢',
      says: (idle, interval, count) => `设置了 SO_KEEPALIVE，沉默 ${s(idle)}后才发第一个探测。那时中间设备早已忘记，探测什么也保不住；但它仍有用：间隔 ${s(interval)}的 ${String(count)} 个探测都没有回应，内核就知道了。（系统默认要等两小时。）`,
    },
    fast: {
      name: 'keepalive，及时',
      says: (idle) => `设置了 SO_KEEPALIVE，沉默 ${s(idle)}就发第一个探测，赶在中间设备忘记之前。探测由这一端的内核发出，由中间设备的内核应答：中间设备是中继，TCP 到它为止。两边的程序都没有为它收发一个字节，远端也一无所知。`,
    },
    app: {
      name: '应用层心跳',
      says: (every) => `程序每 ${s(every)}说一句很短的话，回显就是答复。代价只有几个字节，凡是原样转发字节的代理都能穿过，而且能证明 keepalive 证明不了的事：对端的程序仍在工作。`,
    },
  },
  before: {
    nothing: '大多数程序打开套接字的方式：没有话说就什么也不发。',
    slow: '内核会询问对端还在不在，但比中间设备忘记得更晚。',
    fast: '同样的询问，但比中间设备忘记得更早。',
    app: '程序自己每隔一会儿说一句很短的话，并得到答复。',
  },
  fastImpossible: 'keepalive 以整秒计时。中间设备只记 1 秒时，第一个探测恰好在它忘记的时刻到达：这一条要看谁先谁后。',
  options: '选项',
  noOptions: '没有选项',
  verdict: {
    waiting: '还没有人发问。',
    forgottenUnaware: (ago) => `${ago} 前已被忘记，自己却不知道。`,
    works: (took) => `仍然可用：${took} 后收到回显。`,
    asked: (since) => `${since} 前发问，没有答复，也没有错误。`,
    unnoticed: (since) => `还没有察觉：发问 ${since} 之后，既没有答复，也没有错误。`,
    ended: (name, since, spoken) => `${name}：${spoken === undefined ? '在发问之前' : `发问后 ${spoken}`}${since === undefined ? '' : `，被忘记后 ${since}`}。`,
    names: { failed: '失败', reset: '被重置', eof: '对端已结束', closed: '已关闭' },
  },
  why: {
    nothing: 'TCP 会一遍遍重发同样的字节，间隔越来越长。除非另有设置，Linux 大约一刻钟后才放弃（tcp_retries2）；这一点出自它的文档，这里没有测量。',
    ended: '得不到确认的时间到了上限，内核就放弃了，并在程序下一次调用时告诉它。',
    keepalive: '它自己的探测没有人回应。连接同样丢了，但程序知道了。',
    userTimeout: (limit) => `TCP_USER_TIMEOUT 是 ${s(limit)}：发出的字节这么久得不到确认，连接就结束。没有它，Linux 大约一刻钟后才放弃（出自文档，这里没有测量）。`,
    works: '中间设备隔不多久就看到一个包，所以从未忘记它。',
    lost: '本应存活，却没有：有一个包来得比中间设备的记忆还晚。',
    worksIdle: '没有被忘记：毕竟有东西及时通过了。',
  },
  marks: {
    hello: '问好及其回显',
    beat: '心跳及其回显',
    probe: '保活探测（推算）',
    missed: '无人回应的探测（推算）',
    forgotten: '中间设备忘记了它',
    question: '发问“还在吗？”',
    answer: '收到回显',
    end: '程序得知连接已经结束',
  },
  legend: '标记的含义',
  story: '用文字列出时间',
  at: (time, mark) => `${time}：${mark}`,
  runs: {
    title: '此前的运行',
    says: '改一个开关再运行一次，就能看到它改变了什么。',
    settings: '设置',
    of: (idle, silence, userTimeout) => `忘记 ${s(idle)}，沉默 ${s(silence)}${userTimeout === undefined ? '，没有 TCP_USER_TIMEOUT' : `，TCP_USER_TIMEOUT ${s(userTimeout)}`}`,
    works: (took) => `可用（${took}）`,
    unnoticed: (since) => `${since} 后仍未察觉`,
    ended: (name, since) => (since === undefined ? name : `${name}（被忘记后 ${since}）`),
    unasked: '没有问到',
  },
  measured:
    '时间取自日志里的调用，以服务器的时钟为准。保活探测是按选项推算的，因为内核发送它们时不告诉任何程序。中间设备每 50 毫秒查一次表，忘记的时刻最多晚这么多。心跳由这个页面经服务器的 WebSocket 发出。',
};

/** What the lessons say, in Chinese. */
export const lessons: LessonMessages = {
  title: '课程',
  choose: '选择课程',
  heartbeat,
  http,
};
