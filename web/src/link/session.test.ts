// @vitest-environment happy-dom
import { describe, expect, it } from 'vitest';
import { launchOf, pasted } from './session';

describe('launchOf', () => {
  it.each([
    ['', {}],
    ['#c=abc', { code: 'abc' }],
    ['#open=tcp://a:1', { open: 'tcp://a:1' }],
    ['#open=udp-bind%3A%2F%2F%3A9000&c=x', { open: 'udp-bind://:9000', code: 'x' }],
    ['#timeline', {}],
    ['#compare', { mode: 'compare' }],
    ['#compare?rate=5&seconds=10', { mode: 'compare', settings: 'rate=5&seconds=10' }],
    ['#lessons', { mode: 'lessons' }],
    ['#compared', {}],
  ])('reads %j', (hash, expected) => {
    expect(launchOf(hash)).toEqual(expected);
  });
});

describe('pasted', () => {
  it.each([
    ['http://127.0.0.1:7625/#c=abc', { code: 'abc' }],
    ['  #c=abc ', { code: 'abc' }],
    ['t0k3n', { token: 't0k3n' }],
    ['', undefined],
    ['http://127.0.0.1:7625/', undefined],
    ['http://127.0.0.1:7625/#open=x', undefined],
    ['two words', undefined],
  ])('makes of %j what it is', (input, expected) => {
    expect(pasted(input)).toEqual(expected);
  });
});
