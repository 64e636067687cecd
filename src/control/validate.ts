/** Validation by the routes' zod schemas, with problems that point into the input and never repeat it. */
import type { z } from 'zod';
import { maskDigits } from '../pan-mask.js';
import { ApiError, type ProblemError, pointer } from './problem.js';

const ERRORS_SHOWN = 20;
const POINTER_LENGTH_MAX = 200;

/** @throws ApiError: `validation_failed` for a body, `invalid_query` for a query, `not_found` for a path. */
export function validate<S extends z.ZodType>(
  schema: S,
  value: unknown,
  where: 'path' | 'query' | 'body',
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  if (where === 'path') throw new ApiError('not_found', 'No object can have such an id.');
  const errors = result.error.issues.flatMap((issue) => problemErrors(issue, where)).slice(0, ERRORS_SHOWN);
  throw new ApiError(
    where === 'body' ? 'validation_failed' : 'invalid_query',
    errors.map((error) => `${error.pointer === '' ? 'body' : error.pointer}: ${error.detail}`).join('; '),
    { param: errors[0]?.pointer ?? '', errors },
  );
}

function problemErrors(issue: z.core.$ZodIssue, where: 'query' | 'body'): ProblemError[] {
  // A name may be as long as the body.
  const at = (path: readonly PropertyKey[]): string =>
    maskDigits((where === 'body' ? pointer(path) : path.map(String).join('.')).slice(0, POINTER_LENGTH_MAX));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys
      .slice(0, ERRORS_SHOWN)
      .map((key) => ({ detail: 'unknown property', pointer: at([...issue.path, key]) }));
  }
  // A bound has as many digits as a card number, and quotes nothing.
  const isBound = issue.code === 'too_big' || issue.code === 'too_small';
  return [{ detail: isBound ? issue.message : maskDigits(issue.message), pointer: at(issue.path) }];
}
