/** Each way and each figure in two or three sentences, for somebody who has read a beginner's tutorial. */
export const lanes = {
  raw: {
    name: 'Raw socket',
    says: 'The TCP socket itself, as this server reads it: no HTTP, no browser. The peer writes, the kernel hands over, and that is all. It is measured inside the server, so it is what the other lanes can come near but never beat.',
  },
  short_poll: {
    name: 'Short polling',
    says: 'The page asks “anything new?” at a fixed rate and is answered at once, which is what tutorials mean by “HTTP must ask again and again”. With fewer messages than questions most answers are empty; with more, one answer brings several. A message waits, on average, half the time between two questions.',
  },
  long_poll: {
    name: 'Long polling',
    says: 'The page asks, and the server keeps the question until it has something to say. It is ordinary HTTP, and yet the news arrives at once. The price is one request with all its headers for about every message.',
  },
  sse: {
    name: 'Server-sent events',
    says: 'The page asks once, and the answer never ends: the server adds a line whenever it has something. So HTTP can push, and has done so since before WebSockets. Only the server speaks; to say something the page makes another request.',
  },
  websocket: {
    name: 'WebSocket',
    says: 'It begins as an HTTP request and then, on the same TCP connection, stops being HTTP: either side speaks when it likes, in frames of a few bytes. The page may speak here too, without a new request.',
  },
};

/** What is measured. */
export const figures = {
  mean: { name: 'Delay, mean', says: 'From the moment the source called send to the moment JavaScript had the message. Both clocks are compared before and after the run; how far they may differ is shown above.' },
  p50: { name: 'Delay, median', says: 'Half of the messages took no longer than this. It tells what is usual, where the mean is drawn up by a few slow ones.' },
  p95: { name: 'Delay, 95 of 100', says: 'Ninety-five of a hundred messages took no longer. This is what a user notices as “sometimes slow”.' },
  p99: { name: 'Delay, 99 of 100', says: 'Ninety-nine of a hundred took no longer. It is only said of 1,000 messages and more: of fewer, one slow message would decide it.' },
  max: { name: 'Delay, longest', says: 'The one message that took longest. It depends on luck, and grows with the length of the run.' },
  requests: { name: 'Requests', says: 'HTTP requests this lane made, counted by the server; the one that becomes a WebSocket is among them. The page buys a ticket first, since a browser sends no token with a WebSocket: that one request of a few hundred bytes is in no figure. Asking has a price each time: headers up, headers down, work on both sides.' },
  empty: { name: 'Empty answers', says: 'Requests that were answered “nothing new”. They are the waste of polling: the rarer the events, the more of them.' },
  full: { name: 'Only continued', says: 'Polls whose page was full, so that the next request only fetched the rest. They say that more came in one interval than fits into one answer.' },
  up: { name: 'Bytes up', says: 'Everything this lane sent to the server: request lines, headers with the token, frames. Counted at the accepted connection, request by request; TCP and IP headers are not in it, and neither is the WebSocket’s ticket.' },
  down: { name: 'Bytes down', says: 'Everything the server sent for this lane, in three parts: the events, what stands around them in the content, and headers, chunk sizes and frames. Around the events a poll’s answer and a WebSocket’s message have a page, `{epoch, first, shelves, head, next, gaps}`, of some 150 bytes; a stream has `id:` and `data:` lines. How much is events is reckoned from one of them.' },
  perEvent: { name: 'Bytes per message', says: 'Bytes up and down together, divided by the messages that came. The event is the same JSON with the payload in base64 on every lane (binary batches apart), but what wraps it is not. Events that come in one answer share its headers and its page, so a short poll that brings many at once can need fewer bytes for each than a WebSocket that wraps every one.' },
  data: { name: 'TCP segments with data', says: 'Packets that carried bytes, as the server’s kernel counted them: exact. Many small pushes are many segments, though each is small.' },
  acks: { name: 'Pure ACKs', says: 'Packets that only acknowledged. The number is approximate (±): an ACK that comes late, on a connection used for something else by then, is counted there.' },
  cpu: { name: 'Server CPU', says: 'Processor time the server’s threads spent on this lane’s connections. Reading a request, checking the token and writing headers is most of what polling costs.' },
  connections: { name: 'Connections', says: 'TCP connections that carried this lane’s requests. A browser keeps and reuses connections, so polling does not mean a handshake for each request any more.' },
  complete: { name: 'Completeness', says: 'Whether every byte came, once and in order, checked by its offset in the stream. All four ways are cursors over one log, so none of them may lose anything.' },
};

const n = (count: number): string => count.toLocaleString('en');
const many = (count: number, one: string, more: string): string => `${n(count)} ${count === 1 ? one : more}`;

/** What tutorials say, and what is true of it now. */
export const claims = {
  title: 'What tutorials say, and what this run shows',
  evidence: 'In this run:',
  list: {
    first: {
      claim: '“HTTP is request–response: the server cannot speak first.”',
      now: 'One exchange does begin with the client. But an answer need not end: the client asks once, and the server adds to its answer whenever it likes. That is how server-sent events push, over plain HTTP.',
      evidence: (requests: number, events: number, delay: string) => `${many(requests, 'request', 'requests')} brought ${many(events, 'message', 'messages')}, half of them within ${delay}.`,
    },
    again: {
      claim: '“So the client must ask again and again.”',
      now: 'It may, and then messages are half an interval old on average; the fewer come in an interval, the more answers are empty. It need not: a question that the server keeps until it has something is answered at once, and costs a request for about every message.',
      evidence: (requests: number, empty: number, due: string, short: string, long: string) => `an interval brought ${due} messages on average; short polling made ${many(requests, 'request', 'requests')}, ${empty === 0 ? 'none' : n(empty)} of them for nothing, and was ${short} late on average; long polling ${long}.`,
    },
    open: {
      claim: '“A socket stays open, so either side speaks when it has something to say.”',
      now: 'True, and a WebSocket gives a page the same over a connection that began as HTTP. To be told of news it is no faster than server-sent events; what it adds is that the page can speak on it too.',
      evidence: (requests: number, events: number, ws: string, sse: string) => `${many(requests, 'request', 'requests')}, ${many(events, 'message', 'messages')}; 95 of 100 within ${ws}, where server-sent events took ${sse}.`,
    },
    connection: {
      claim: '“HTTP opens a connection for every request and closes it afterwards.”',
      now: 'That was HTTP/1.0. Since HTTP/1.1 (1997) a connection is kept and used again. The cost of polling is not handshakes but headers and work, again with every question.',
      evidence: (requests: number, connections: number) => `${many(requests, 'request', 'requests')} of the two polling lanes went over at most ${many(connections, 'connection', 'connections')}.`,
    },
    engine: {
      claim: '“HTTP is the car, the socket is the engine.”',
      now: 'Every lane here, HTTP or not, is bytes on a TCP socket. HTTP says what the bytes mean; the socket carries them. So the difference between the lanes is not HTTP against sockets, but who may speak when, and with how much wrapping.',
      evidence: (raw: string, ws: string) => `the raw socket had half of the messages within ${raw}, the page had them within ${ws}: in between lie the server, this browser, and JavaScript.`,
    },
  },
};
