/**
 * The command by which Wireshark shows a capture while it goes on. The token is the shell's own: written into a command
 * it would stay in histories and screenshots.
 */
export function wiresharkCommand(address: string, locked: boolean): string {
  const key = locked ? ' -H "Authorization: Bearer $SOCKSCOPE_TOKEN"' : '';
  return `curl -sN${key} '${address}' | wireshark -k -i -`;
}
