import type { claims as enClaims, figures as enFigures, lanes as enLanes } from './compare.words.en';

/** 每种方式和每个数字各用两三句话说明，面向读过入门教程的人。 */
export const lanes: typeof enLanes = {
  raw: {
    name: '原始套接字',
    says: '就是这台服务器所读的那个 TCP 套接字：没有 HTTP，没有浏览器。对端写入，内核交出，仅此而已。它在服务器内部测得，所以其他方式只能接近它，不能胜过它。',
  },
  short_poll: {
    name: '短轮询',
    says: '页面按固定速率问“有新的吗？”，立刻得到答复；教程所说的“HTTP 只能一遍遍地问”就是这种方式。消息比提问少，答复多半是空的；消息更多，一次答复就带上几条。一条消息平均要等两次提问间隔的一半。',
  },
  long_poll: {
    name: '长轮询',
    says: '页面提问，服务器把问题留着，直到有话可说。这是普通的 HTTP，消息却能立刻送到。代价是几乎每条消息都要一个带全部头部的请求。',
  },
  sse: {
    name: '服务器推送事件（SSE）',
    says: '页面只问一次，而答复永不结束：服务器一有消息就添上一行。所以 HTTP 可以推送，而且早在 WebSocket 之前就可以。只有服务器说话；页面要说什么，就另发一个请求。',
  },
  websocket: {
    name: 'WebSocket',
    says: '它以一个 HTTP 请求开始，然后在同一条 TCP 连接上不再是 HTTP：任何一方想说就说，每帧只多几个字节。页面在这里也可以说话，不必另发请求。',
  },
};

/** 测量的内容。 */
export const figures: typeof enFigures = {
  mean: { name: '平均延迟', says: '从来源调用 send 的那一刻，到 JavaScript 拿到消息的那一刻。运行前后都会比对两边的时钟；它们最多相差多少写在上方。' },
  p50: { name: '延迟中位数', says: '一半的消息不超过这个时间。它说明平常的情形，而平均值会被少数慢消息拉高。' },
  p95: { name: '延迟，95%', says: '一百条消息中有九十五条不超过这个时间。用户感到的“有时候慢”就是它。' },
  p99: { name: '延迟，99%', says: '一百条中有九十九条不超过这个时间。只有满 1,000 条消息才给出：再少的话，一条慢消息就能左右它。' },
  max: { name: '最长延迟', says: '耗时最长的那一条消息。它靠运气，运行越久越大。' },
  requests: { name: '请求数', says: '这种方式发出的 HTTP 请求，由服务器计数；变成 WebSocket 的那一个也算在内。浏览器不会随 WebSocket 发送令牌，所以页面先要买一张票：那一个几百字节的请求不在任何数字里。每问一次都有代价：上行头部、下行头部、双方的处理。' },
  empty: { name: '空答复', says: '得到“没有新消息”的请求。它们是轮询的浪费：事件越少，空答复越多。' },
  full: { name: '仅为续取', says: '页面已满、下一个请求只是取剩余部分的轮询。它说明一个间隔内来的比一次答复装得下的多。' },
  up: { name: '上行字节', says: '这种方式发给服务器的一切：请求行、带令牌的头部、帧。在所接受的连接上按请求逐个计数；不含 TCP 和 IP 头部，也不含 WebSocket 的票。' },
  down: { name: '下行字节', says: '服务器为这种方式发出的一切，分三部分：事件、内容里事件之外的东西，以及头部、分块长度和帧。轮询的答复和 WebSocket 的消息在事件外有一个页面 `{epoch, first, shelves, head, next, gaps}`，约 150 字节；事件流则有 `id:` 和 `data:` 行。事件占多少，是由其中一个事件推算的。' },
  perEvent: { name: '每条消息的字节', says: '上行与下行之和除以到达的消息数。事件在每种方式上都是同样的 JSON，载荷为 base64（二进制批次除外），但包装并不相同。同一次答复里的事件共用它的头部和页面，所以一次带来许多事件的短轮询，平均每条可以比逐条包装的 WebSocket 更省字节。' },
  data: { name: '带数据的 TCP 段', says: '携带字节的数据包，由服务器的内核计数：精确值。多次小推送就是许多小段。' },
  acks: { name: '纯确认（ACK）', says: '只作确认的数据包。这个数是近似值（±）：迟到的确认如果落在已作他用的连接上，就记在那里。' },
  cpu: { name: '服务器 CPU', says: '服务器线程花在这种方式的连接上的处理器时间。轮询的开销主要是读请求、查令牌和写头部。' },
  connections: { name: '连接数', says: '承载过这种方式的请求的 TCP 连接。浏览器会保留并复用连接，所以轮询早已不是每次请求都要握手。' },
  complete: { name: '完整性', says: '是否每个字节都按序到达且只到一次，按流中的偏移检查。四种方式都是同一份日志上的游标，所以谁都不许丢失。' },
};

const n = (count: number): string => count.toLocaleString('zh');

/** 教程怎么说，现在又是怎样。 */
export const claims: typeof enClaims = {
  title: '教程怎么说，这次运行看到了什么',
  evidence: '这次运行中：',
  list: {
    first: {
      claim: '“HTTP 是请求—响应式的：服务器不能先开口。”',
      now: '一次往来确实由客户端开始。但答复不必结束：客户端只问一次，服务器想说就往答复里添。服务器推送事件就是这样在普通 HTTP 上推送的。',
      evidence: (requests, events, delay) => `${n(requests)} 个请求带来了 ${n(events)} 条消息，一半不超过 ${delay}。`,
    },
    again: {
      claim: '“所以客户端只能一遍遍地问。”',
      now: '可以这样做，那么消息平均已过半个间隔；一个间隔里来的越少，空答复就越多。但不必如此：服务器把问题留到有话可说，就能立刻答复，代价是几乎每条消息一个请求。',
      evidence: (requests, empty, due, short, long) => `一个间隔里平均来 ${due} 条消息；短轮询发出 ${n(requests)} 个请求，其中 ${n(empty)} 个一无所获，平均晚到 ${short}；长轮询为 ${long}。`,
    },
    open: {
      claim: '“套接字一直开着，任何一方有话随时可说。”',
      now: '没错，而 WebSocket 让网页在一条以 HTTP 开始的连接上也能如此。单就得知消息而言，它不比服务器推送事件快；它多出来的是页面也能在上面说话。',
      evidence: (requests, events, ws, sse) => `${n(requests)} 个请求，${n(events)} 条消息；95% 不超过 ${ws}，服务器推送事件为 ${sse}。`,
    },
    connection: {
      claim: '“HTTP 每次请求都要建立连接，之后再关闭。”',
      now: '那是 HTTP/1.0。自 HTTP/1.1（1997 年）起，连接会保留并复用。轮询的代价不在握手，而在每次提问都要重来的头部和处理。',
      evidence: (requests, connections) => `两种轮询的 ${n(requests)} 个请求最多走了 ${n(connections)} 条连接。`,
    },
    engine: {
      claim: '“HTTP 是轿车，Socket 是发动机。”',
      now: '这里的每种方式，无论是不是 HTTP，都是 TCP 套接字上的字节。HTTP 说明字节的含义，套接字负责运送。所以差别不在 HTTP 与套接字之间，而在谁能何时开口、要多少包装。',
      evidence: (raw, ws) => `原始套接字有一半消息不超过 ${raw}，页面拿到它们不超过 ${ws}：中间隔着服务器、这个浏览器和 JavaScript。`,
    },
  },
};
