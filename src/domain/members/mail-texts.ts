import { escapeHtml } from '../../lib/escape/markup.ts'
import type { MailContent } from '../mails/index.ts'
import type { Role } from './roles.ts'

export type Language = 'he' | 'en'

type Paragraphs = { subject: string; lines: string[]; button: string; link: string; foot: string }

const ROLE_NAMES: Record<Language, Record<Role, string>> = {
  en: { owner: 'owner', manager: 'manager', agent: 'agent', viewer: 'viewer' },
  he: { owner: 'בעלים', manager: 'ניהול', agent: 'נציגות', viewer: 'צפייה' },
}

export function roleName(language: Language, role: Role): string {
  return ROLE_NAMES[language][role]
}

export function invitationMail(
  language: Language,
  mail: { to: string; businessName: string; role: Role; link: string; days: number },
): MailContent {
  const { businessName, link, days } = mail
  const role = roleName(language, mail.role)
  return layOut(
    language,
    mail.to,
    language === 'he'
      ? {
          subject: `הזמנה להצטרף אל ${businessName}`,
          lines: [`הוזמנת להצטרף אל ${businessName} ב-AgentLocator. ההרשאה: ${role}.`],
          button: 'לקבלת ההזמנה',
          link,
          foot: `הקישור תקף ${days} ימים ופועל פעם אחת. לא ביקשת? אפשר להתעלם מההודעה, ולא יקרה דבר.`,
        }
      : {
          subject: `Invitation to join ${businessName}`,
          lines: [`You are invited to join ${businessName} on AgentLocator. The role: ${role}.`],
          button: 'Accept the invitation',
          link,
          foot: `The link works once, for ${days} days. If you did not expect it, ignore this mail and nothing happens.`,
        },
  )
}

export function resetMail(language: Language, mail: { to: string; link: string; minutes: number }): MailContent {
  const { link, minutes } = mail
  return layOut(
    language,
    mail.to,
    language === 'he'
      ? {
          subject: 'בחירת סיסמה חדשה',
          lines: ['התקבלה בקשה לבחור סיסמה חדשה לכניסה שלך ל-AgentLocator.'],
          button: 'לבחירת סיסמה',
          link,
          foot: `הקישור תקף ${minutes} דקות ופועל פעם אחת. לא ביקשת? אפשר להתעלם מההודעה; הסיסמה לא השתנתה.`,
        }
      : {
          subject: 'Choose a new password',
          lines: ['A new password was requested for your login to AgentLocator.'],
          button: 'Choose a password',
          link,
          foot: `The link works once, for ${minutes} minutes. If it was not you, ignore this mail: your password is unchanged.`,
        },
  )
}

function layOut(language: Language, to: string, { subject, lines, button, link, foot }: Paragraphs): MailContent {
  const direction = language === 'he' ? 'rtl' : 'ltr'
  const paragraph = (text: string, style = '') => `<p style="margin:0 0 16px;${style}">${escapeHtml(text)}</p>`
  const html = `<!doctype html>
<html lang="${language}" dir="${direction}">
<head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head>
<body dir="${direction}" style="margin:0;padding:24px;font-family:Arial,sans-serif;font-size:16px;line-height:1.5;color:#1d1f23">
${lines.map((line) => paragraph(line)).join('\n')}
<p style="margin:0 0 16px"><a href="${escapeHtml(link)}" style="display:inline-block;padding:10px 18px;border-radius:8px;background:#1a6b4a;color:#ffffff;text-decoration:none">${escapeHtml(button)}</a></p>
<p dir="ltr" style="margin:0 0 16px;font-size:13px;word-break:break-all;text-align:${direction === 'rtl' ? 'right' : 'left'}">${escapeHtml(link)}</p>
${paragraph(foot, 'font-size:13px;color:#5f6368')}
</body>
</html>
`
  return { to, subject: subject.replace(/\s+/g, ' '), text: `${[...lines, link, foot].join('\n\n')}\n`, html }
}
