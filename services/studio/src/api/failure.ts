/** What went wrong with a request, as one class: the gateway said no, or did not answer. */

export class ApiFailure extends Error {
  override readonly name = "ApiFailure";

  /** 0: there was no answer. */
  readonly status: number;
  /** The gateway's word, for programs; the message is for people. */
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }

  /** Whether the same request may succeed in a moment: nobody refused it. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 503 || this.status === 502 || this.status === 504;
  }
}

/** The gateway's `ErrorBody`, or whatever else came with the status. */
export function failureOf(status: number, body: unknown): ApiFailure {
  if (isErrorBody(body)) {
    const { code, message, details } = body.error;
    return new ApiFailure(status, code, message, details ?? {});
  }
  return new ApiFailure(status, "unknown", `The gateway answered ${status}, and not why.`);
}

/** What a failed `fetch` means; an abort stays what it is. */
export function unreachable(error: unknown): unknown {
  if (error instanceof DOMException && error.name === "AbortError") return error;
  if (error instanceof ApiFailure) return error;
  return new ApiFailure(
    0,
    "unreachable",
    "The gateway does not answer. Is it running? `runhistory status` says how the stack is.",
  );
}

type ErrorBody = {
  error: { code: string; message: string; details?: Record<string, unknown> };
};

function isErrorBody(body: unknown): body is ErrorBody {
  if (typeof body !== "object" || body === null || !("error" in body)) return false;
  const error: unknown = body.error;
  return typeof error === "object" && error !== null && "code" in error && "message" in error;
}
