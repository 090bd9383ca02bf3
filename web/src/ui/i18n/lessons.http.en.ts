/** What the lesson about HTTP says, in English. */
export const http = {
  title: 'HTTP is bytes on a socket',
};

/** The shape of its words in every language. */
export type HttpMessages = typeof http;
