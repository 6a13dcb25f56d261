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
  /** The carrier's id of it. */
  id: string
  /** E.164. */
  number: string
  voiceUrl: string
  voiceMethod: string
  statusCallback: string
  statusMethod: string
  /** What answers calls instead of `voiceUrl`, when something is set up so. */
  answeredBy: 'application' | 'trunk' | null
}

/** A sentence to play; `spoken` is said by the carrier's own voice instead, where there is no sound of ours. */
export type Prompt = { promptUrl: string; spoken?: { text: string; language: 'he' | 'en' } | null }

/** The telephone carrier. Answers are documents in the carrier's markup. */
export interface Telephony {
  /** The account whose keys it holds. */
  readonly accountSid: string
  /** Whether the carrier signed this webhook. */
  verifyWebhook(request: SignedRequest): boolean
  /** Whether the carrier signed this WebSocket upgrade; `path` without trailing slash. */
  verifyUpgrade(path: string, signature: string): boolean
  /** Bidirectional stream to us, and what to ask when it ends. */
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
  /** A person is rung and hears a prompt before the caller; what follows is asked at `actionUrl`. */
  dialPerson(options: { number: string; callerId: string | null; whisperUrl: string; actionUrl: string }): string
  /** A prompt, nothing more. */
  playPrompt(options: { promptUrl: string }): string
  /**
   * Gives a live call another document; its stream ends with that.
   * @throws AppError `call_not_live` when the call is over, `call_update_failed` when the carrier refuses or is away
   */
  updateCall(callSid: string, document: string): Promise<void>
  /**
   * Downloads a recording as WAV.
   * @throws AppError `recording_not_ready` (unavailable) while the carrier has not finished it; `recording_gone` when it never will
   */
  downloadRecording(recordingSid: string): Promise<RecordingDownload>
  /** Deletes the carrier's copy; one that is gone already is fine. */
  deleteRecording(recordingSid: string): Promise<void>
  /** The account's numbers and where their webhooks lead. */
  listNumbers(): Promise<CarrierNumber[]>
  /**
   * Leads the webhooks of a number here; an application or a trunk that answered for it no longer does.
   * @param id the carrier's id of the number
   * @throws AppError `carrier_refused`, `carrier_unreachable`
   */
  configureNumber(id: string, webhooks: { voiceUrl: string; statusCallback: string }): Promise<CarrierNumber>
  /** Downloads a file that came with an inbound message; credentials go only to the carrier's own hosts. */
  downloadMedia(url: string, maxBytes: number): Promise<RecordingDownload>
}

/** Whose word a signed webhook is. */
export type Signer = {
  telephony: Telephony
  /** The businesses that it speaks for; null is all of them: it came from the installation's own account. */
  only: readonly string[] | null
}

/** Whether what was signed may be about a business. */
export function speaksFor(signer: Signer, businessId: string): boolean {
  return signer.only === null || signer.only.includes(businessId)
}

/** The carrier accounts here: the installation's, and those of businesses with keys of their own. */
export interface Carriers {
  /** Makes documents, which are the same for every account. Null when nobody here has a carrier. */
  any(): Telephony | null
  /** What a business telephones with: its own account, else the installation's. */
  of(businessId: string): Telephony | null
  /** The account of that id, if it is one that a business may use: its own or the installation's. */
  account(businessId: string, accountSid: string): Telephony | null
  /** Every account in which a business can have something, its own first. */
  accountsOf(businessId: string): Telephony[]
  /** Who signed a webhook, by the account that it names (`AccountSid`); null when the signature is not that account's. */
  verify(request: SignedRequest): Signer | null
  /**
   * For which businesses this WebSocket upgrade speaks, by whose tokens its signature is right: nothing in it names an account.
   * @returns null when the signature is nobody's; `only: null` stands for all of them
   */
  verifyUpgrade(path: string, signature: string): Pick<Signer, 'only'> | null
}
