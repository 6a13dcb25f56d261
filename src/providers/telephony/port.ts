/** A request as the carrier sent it: everything a signature can depend on. */
export type SignedRequest = {
  /** Path and query as received, appended to the public base URL. */
  pathAndQuery: string
  signature: string | null
  /** Every form field, untrimmed; a repeated one with all its values. */
  params: FormFields
  /** A body that is no form, as it came. */
  rawBody?: Uint8Array
}

/** Form fields by name; a repeated one has all its values. */
export type FormFields = Readonly<Record<string, string | string[]>>

export type RecordingDownload = { data: Uint8Array; contentType: string }

/** A number of the carrier's account; addresses are empty where none is set. */
export type CarrierNumber = {
  id: string
  /** E.164. */
  number: string
  voiceUrl: string
  voiceMethod: string
  statusCallback: string
  statusMethod: string
  smsUrl: string
  smsMethod: string
  /** Whether it can take and send SMS. */
  sms: boolean
  /** What answers calls instead of `voiceUrl`, if set. */
  answeredBy: 'application' | 'trunk' | null
}

/** Numbers are E.164. */
export type OutboundText = { from: string; to: string; text: string }
/** `statusUrl` is POSTed to when its state changes. */
type OutboundTextRequest = OutboundText & { statusUrl?: string }
/** `url` answers with the document, `statusUrl` hears how it ended; both are POSTed to. */
export type OutboundRing = { from: string; to: string; url: string; statusUrl: string; seconds: number }

/** Audio to play; where the product has none, the carrier's own voice says `spoken` instead. */
export type Prompt = { promptUrl: string; spoken?: { text: string; language: 'he' | 'en' } | null }

/** The telephone carrier. Answers are documents in the carrier's markup. */
export interface Telephony {
  readonly accountSid: string
  /** Whether the carrier signed this webhook. */
  verifyWebhook(request: SignedRequest): boolean
  /** Whether the carrier signed this WebSocket upgrade; `path` without trailing slash. */
  verifyUpgrade(path: string, signature: string): boolean
  /** A bidirectional stream; the carrier requests `actionUrl` when it ends. */
  connectStream(options: {
    streamUrl: string
    actionUrl: string
    statusCallbackUrl: string
    parameters: Record<string, string>
  }): string
  /** A prompt, then the caller's message is recorded. */
  voicemail(options: Prompt & { actionUrl: string; recordingStatusUrl: string }): string
  /** A prompt, then hang up. */
  sayGoodbye(options: Prompt): string
  hangUp(): string
  /** Dials a person, who hears a prompt before the caller; then the carrier requests `actionUrl`. */
  dialPerson(options: { number: string; callerId: string | null; whisperUrl: string; actionUrl: string }): string
  /** A prompt, nothing more. */
  playPrompt(options: { promptUrl: string }): string
  /**
   * Replaces the document of a live call, which ends its stream.
   * @throws AppError `call_not_live` when the call is over, `call_update_failed` when the carrier refuses or is away
   */
  updateCall(callSid: string, document: string): Promise<void>
  /**
   * Downloads a recording as WAV.
   * @throws AppError `recording_not_ready` (unavailable) while the carrier has not finished it; `recording_gone` when it never will
   */
  downloadRecording(recordingSid: string): Promise<RecordingDownload>
  /** Deletes the carrier's copy; no error when it is deleted already. */
  deleteRecording(recordingSid: string): Promise<void>
  /** The account's numbers with their webhooks. */
  listNumbers(): Promise<CarrierNumber[]>
  /**
   * Sets the webhooks of a number; an application or a trunk that answered for it no longer does.
   * @param id the carrier's id of the number
   * @throws AppError `carrier_refused`, `carrier_unreachable`
   */
  configureNumber(
    id: string,
    webhooks: { voiceUrl: string; statusCallback: string; smsUrl: string },
  ): Promise<CarrierNumber>
  /**
   * Sends an SMS. @returns the carrier's id of it
   * @throws AppError `carrier_refused` (invalid) when it is refused for good, `carrier_busy` (unavailable) when it certainly was
   *   not taken, `outcome_unknown` (unavailable) when it may have been
   */
  sendText(text: OutboundTextRequest): Promise<string>
  /** The id of an SMS that was sent after `since`; null when the carrier has none. */
  findText(text: OutboundText & { since: Date }): Promise<string | null>
  /** Rings a number up; who answers hears the document at `url`. Throws as `sendText`. */
  ring(call: OutboundRing): Promise<string>
  /** The id of such a call that was made after `since` and is none of `otherIds`; null when the carrier has none. */
  findRing(call: Pick<OutboundRing, 'from' | 'to'> & { since: Date; otherIds: string[] }): Promise<string | null>
  /** A text that is read out twice; a key that is pressed meanwhile goes to `actionUrl`. */
  askForKey(options: { text: string; ask: string; language: 'he' | 'en'; actionUrl: string }): string
  /** A sentence in the carrier's own voice, then hang up. */
  sayText(options: { text: string; language: 'he' | 'en' }): string
  /** Downloads a file that came with an inbound message; credentials go only to the carrier's own hosts. */
  downloadMedia(url: string, maxBytes: number): Promise<RecordingDownload>
}

/** The account that signed a webhook. */
export type Signer = {
  telephony: Telephony
  /** The businesses that it may act for; null is all of them: it is the installation's own account. */
  only: readonly string[] | null
}

/** Whether the signer may act for a business. */
export function speaksFor(signer: Signer, businessId: string): boolean {
  return signer.only === null || signer.only.includes(businessId)
}

/** The carrier accounts here: the installation's, and those of businesses with keys of their own. */
export interface Carriers {
  /** Any account, to make documents, which are the same for every account. Null when there is none. */
  any(): Telephony | null
  /** The account of a business: its own, else the installation's. */
  of(businessId: string): Telephony | null
  /** The account of that id, if it is one that a business may use: its own or the installation's. */
  account(businessId: string, accountSid: string): Telephony | null
  /** Every account that a business may use, its own first. */
  accountsOf(businessId: string): Telephony[]
  /** Who signed a webhook, by the account that it names (`AccountSid`); null when the signature is not that account's. */
  verify(request: SignedRequest): Signer | null
  /**
   * The businesses that a WebSocket upgrade may act for: those whose keys its signature fits, since it names no account.
   * @returns null when no account signed it; `only: null` stands for all businesses
   */
  verifyUpgrade(path: string, signature: string): Pick<Signer, 'only'> | null
}
