/** Times between which events are read, and the zone of days that name none. */
export type Window = { from: Date; to: Date; zone: string }

/** One occurrence of an event outside. */
export type OutsideEvent = {
  /** What changes as one: the event, or the resource that holds a series. */
  objectId: string
  /** The occurrence, unique in its calendar. */
  eventId: string
  uid: string | null
  startsAt: Date
  endsAt: Date
  busy: boolean
  allDay: boolean
  etag: string | null
  title: string | null
  /** The appointment that it is, where we wrote it, with the revision that we wrote last. */
  ours: { appointmentId: string; revision: number } | null
}

/** What changed in a calendar, or all of it. */
export type SyncResult = {
  /** All that is there in the window: what is not in it is gone. */
  whole: boolean
  /** Occurrences; those of an object that is named here replace all that were known of it. */
  events: OutsideEvent[]
  /** Objects that are gone, or of which nothing is in the window. */
  removed: string[]
  /** Where the next round goes on; null reads everything again. */
  state: string | null
  /** Objects that could not be read, or that went beyond a limit. */
  skipped: number
}

/** An appointment as it is written outside; never with people invited: the vendor would mail them. */
export type OwnEvent = {
  appointmentId: string
  /** Of this one event: asked to make it twice, a vendor makes it once. */
  key: string
  revision: number
  title: string
  description: string
  startsAt: Date
  endsAt: Date
  zone: string
  changedAt: Date
}

export type RemoteCalendar = { remoteId: string; name: string; writable: boolean; primary: boolean }
export type Written = { eventId: string; etag: string | null }
export type Channel = { id: string; resource: string; expiresAt: Date }

/** Why a vendor did not do what it was asked to. */
export type CalendarProblem =
  /** The access was withdrawn or is over: only a person can connect it again. */
  | 'reconnect'
  /** The access token is not taken: a new one may be. */
  | 'unauthorized'
  /** The state of the last round is not known any more: everything has to be read again. */
  | 'resync'
  /** It was changed by others since it was read. */
  | 'changed'
  /** There is no such event. */
  | 'missing'
  | 'limited'
  | 'unavailable'
  /** The vendor does not do it, however often it is asked. */
  | 'refused'
  /** The address is not one that may be reached. */
  | 'not_allowed'

export class CalendarError extends Error {
  constructor(
    readonly problem: CalendarProblem,
    message: string,
    readonly options: { retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'CalendarError'
  }
}

/** The calendars of one account. Every method throws CalendarError; none runs longer than its vendor's limit. */
export type CalendarAccount = {
  calendars(): Promise<RemoteCalendar[]>
  /** @param state of the last round; null reads all that is in the window */
  sync(remoteId: string, state: string | null, window: Window): Promise<SyncResult>
  /** Null where it cannot be written. */
  write: {
    /** The id under which an appointment is written; null where the vendor chooses it. */
    eventIdOf(remoteId: string, appointmentId: string): string | null
    /** Makes it, or changes the known one; asked again, it is the same event. @throws CalendarError `changed`, `missing` */
    put(remoteId: string, event: OwnEvent, known: { eventId: string; etag: string | null } | null): Promise<Written>
    /** Null for one that is gone. */
    read(remoteId: string, eventId: string): Promise<OutsideEvent | null>
    /** One that is gone already is no error. */
    remove(remoteId: string, eventId: string): Promise<void>
  } | null
  /** Null where the vendor sends no notices. */
  watch: {
    open(
      remoteId: string,
      channel: { id: string; secret: string; address: string },
      known: Channel | null,
    ): Promise<Channel>
    close(channel: Channel): Promise<void>
  } | null
}

export type Tokens = { accessToken: string; refreshToken: string; expiresAt: Date }

/** A vendor at which people log in. */
export type OAuthVendor = {
  /** Where the browser goes. */
  authorizeUrl(request: { redirectUri: string; state: string; challenge: string }): string
  /** @returns the tokens and the address of the account @throws CalendarError */
  exchange(request: { code: string; redirectUri: string; verifier: string }): Promise<Tokens & { account: string }>
  /** A vendor may give a new refresh token, after which the old one is over. @throws CalendarError `reconnect` */
  refresh(refreshToken: string): Promise<Tokens>
  account(accessToken: string): CalendarAccount
}

/** What is kept of a connection, sealed. */
export type CalDavAccess = { serverUrl: string; username: string; password: string }
export type IcsAccess = { url: string }
