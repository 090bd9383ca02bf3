import { expect, it } from 'vitest';
import { wiresharkCommand } from './live';

it('names the address, and the token only by its variable', () => {
  expect(wiresharkCommand('http://127.0.0.1:7625/x?y=1&z=2', true)).toBe(`curl -sN -H "Authorization: Bearer $SOCKSCOPE_TOKEN" 'http://127.0.0.1:7625/x?y=1&z=2' | wireshark -k -i -`);
  expect(wiresharkCommand('http://127.0.0.1:7625/x', false)).toBe(`curl -sN 'http://127.0.0.1:7625/x' | wireshark -k -i -`);
});
