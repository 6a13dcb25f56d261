import { twilioJson } from './rest.ts'
import type { CarrierState } from './state.ts'

export const CONTENT_PATH = '/v1/ContentAndApprovals'

/** `GET /v1/ContentAndApprovals` of the Content API: the templates of the account, on one page. */
export function readContents(state: CarrierState, url: URL): Response {
  return twilioJson({
    contents: state.contents.map(({ sid, friendlyName, language, body, variables, approval }) => ({
      sid,
      account_sid: state.accountSid,
      friendly_name: friendlyName,
      language,
      variables,
      types: { 'twilio/text': { body } },
      approval_requests: { name: friendlyName, category: 'UTILITY', content_type: 'twilio/text', status: approval },
      date_created: '2026-01-01T00:00:00Z',
      date_updated: '2026-01-01T00:00:00Z',
    })),
    meta: {
      page: 0,
      page_size: 50,
      first_page_url: url.href,
      previous_page_url: null,
      url: url.href,
      next_page_url: null,
      key: 'contents',
    },
  })
}
