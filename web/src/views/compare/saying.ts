import { ApiError } from '../../link/api';
import { CrowdLate } from '../../link/compare/growth';
import type { Broken } from '../../link/compare/protocol';
import { NoSource } from '../../link/compare/source';
import { LaneBroke } from '../../link/compare/worker/ways';
import { safeLine } from '../../model/bytes/text';
import { errorText, problemText } from '../../state/actions';
import { words } from './words';

/** Why a lane broke, as a sentence. */
export function brokenText(why: Broken): string {
  return why.problem === undefined ? words().broken[why.is](safeLine(why.text)) : problemText(why.problem);
}

/** Whatever went wrong, as a sentence. */
export function failureText(error: unknown): string {
  if (error instanceof NoSource) return words().errors[error.why];
  if (error instanceof CrowdLate) return words().errors.crowd(words().lanes[error.step.lane].name, error.step.viewers);
  if (error instanceof LaneBroke) return brokenText(error.why);
  return error instanceof ApiError ? errorText(error) : safeLine(String(error));
}

/** Hands a file to the browser to keep. */
export function saveBlob(name: string, blob: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Hands a text to the browser to keep. */
export function saveText(name: string, type: string, text: string): void {
  saveBlob(name, new Blob([text], { type }));
}
