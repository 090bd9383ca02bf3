import type { LogEvent } from '../../model/log/log';
import type { TargetError } from '../../model/sockets/target';
import type { Code, Fact, GapReason, PauseWhat, PeerKind, Phase, Role, SocketState } from '../../wire/generated';

/** What a sentence about a code may name; every string from elsewhere is already safe to show. */
export interface CodeParams {
  readonly rule?: string;
  readonly params: Readonly<Record<string, string>>;
}

/** One sentence for every code. */
export type CodeSentences = Record<Code, string | ((p: CodeParams) => string)>;

/** The event of one kind. */
export type FactOf<K extends Fact['type']> = Extract<LogEvent, { type: K }>;

/** Makes the sentence of a code, with errno and phase. */
export type SayCode = (code: Code, context?: { errno?: string; phase?: Phase; rule?: string; params?: Record<string, string> }) => string;

/** One sentence for every kind of fact. */
export type FactSentences = { readonly [K in Fact['type']]: (event: FactOf<K>, say: SayCode) => string };

/** The words of facts, codes and states, in one language. */
export interface Words {
  readonly facts: FactSentences;
  readonly codes: CodeSentences;
  /** A sentence with errno and phase behind it. */
  readonly origin: (text: string, where: string) => string;
  readonly peers: Record<PeerKind, { readonly name: string; readonly says: string }>;
  readonly states: Record<SocketState, string>;
  readonly roles: Record<Role, string>;
  readonly phases: Record<Phase, string>;
  readonly pauses: Record<PauseWhat, string>;
  readonly gaps: Record<GapReason, (from: string, to: string) => string>;
  readonly targets: Record<TargetError, (found: string) => string>;
  readonly kinds: Record<Fact['type'] | 'gap' | 'unknown', string>;
}
