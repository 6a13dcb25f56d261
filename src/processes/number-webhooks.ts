import { publicUrl, WEBHOOKS } from '../access/urls.ts'
import type { NumberWebhooks } from '../domain/businesses/index.ts'

/** Where the carrier has to send the calls and SMS of a number that this installation answers. */
export function numberWebhooks({ publicBaseUrl }: { publicBaseUrl: string }): NumberWebhooks {
  return {
    voiceUrl: publicUrl(publicBaseUrl, WEBHOOKS.incomingCall),
    statusCallback: publicUrl(publicBaseUrl, WEBHOOKS.callStatus),
    smsUrl: publicUrl(publicBaseUrl, WEBHOOKS.sms),
  }
}
