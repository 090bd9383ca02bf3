import type { HttpMessages } from './lessons.http.en';

/** What the lesson about HTTP says, in Chinese. */
export const http: HttpMessages = {
  title: 'HTTP 就是套接字上的字节',
};
