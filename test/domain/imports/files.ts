/** Headings of real exports, each with one person, and what has to come of them without anybody saying which column is which. */
export type ExportFixture = {
  name: string
  kind: 'contacts' | 'leads'
  csv: string
  expected: Record<string, unknown>
}

const NUMBER = '050-111-2233'
const E164 = '+972501112233'

/** A line of cells under a line of headings. */
const table = (headings: string, cells: Record<string, string>, delimiter = ',') => {
  const columns = headings.split(delimiter)
  const used = new Set<string>()
  const line = columns.map((column) => {
    if (used.has(column)) return ''
    used.add(column)
    return cells[column] ?? ''
  })
  for (const column of Object.keys(cells)) if (!used.has(column)) throw new Error(`no column ${column}`)
  return `${headings}\r\n${line.map((cell) => (/[,"\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(delimiter)}\r\n`
}

const GOOGLE_OLD =
  'Name,Given Name,Additional Name,Family Name,Yomi Name,Given Name Yomi,Additional Name Yomi,Family Name Yomi,Name Prefix,Name Suffix,Initials,Nickname,Short Name,Maiden Name,Birthday,Gender,Location,Billing Information,Directory Server,Mileage,Occupation,Hobby,Sensitivity,Priority,Subject,Notes,Language,Photo,Group Membership,E-mail 1 - Type,E-mail 1 - Value,E-mail 2 - Type,E-mail 2 - Value,Phone 1 - Type,Phone 1 - Value,Phone 2 - Type,Phone 2 - Value,Address 1 - Type,Address 1 - Formatted,Organization 1 - Type,Organization 1 - Name,Organization 1 - Title'
const GOOGLE_NEW =
  'First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,Phonetic Last Name,Name Prefix,Name Suffix,Nickname,File As,Organization Name,Organization Title,Organization Department,Birthday,Notes,Photo,Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value,Address 1 - Label,Address 1 - Formatted,Address 1 - Country,Website 1 - Value'
const OUTLOOK_DESKTOP =
  "Title,First Name,Middle Name,Last Name,Suffix,Company,Department,Job Title,Business Street,Business City,Business Country/Region,Home Street,Home City,Assistant's Phone,Business Fax,Business Phone,Business Phone 2,Callback,Car Phone,Company Main Phone,Home Fax,Home Phone,Home Phone 2,ISDN,Mobile Phone,Other Fax,Other Phone,Pager,Primary Phone,Radio Phone,TTY/TDD Phone,Telex,Account,Anniversary,Assistant's Name,Billing Information,Birthday,Business Address PO Box,Categories,Children,Directory Server,E-mail Address,E-mail Type,E-mail Display Name,E-mail 2 Address,E-mail 2 Type,E-mail 2 Display Name,Gender,Government ID Number,Hobby,Initials,Keywords,Language,Location,Manager's Name,Mileage,Notes,Office Location,Organizational ID Number,PO Box,Priority,Private,Profession,Referred By,Sensitivity,Spouse,User 1,Web Page"
const OUTLOOK_WEB =
  "First Name,Middle Name,Last Name,Title,Suffix,Nickname,Given Yomi,Surname Yomi,E-mail Address,E-mail 2 Address,E-mail 3 Address,Home Phone,Home Phone 2,Business Phone,Business Phone 2,Mobile Phone,Car Phone,Other Phone,Primary Phone,Pager,Business Fax,Home Fax,Other Fax,Company Main Phone,Callback,Radio Phone,Telex,TTY/TDD Phone,IMAddress,Job Title,Department,Company,Office Location,Manager's Name,Assistant's Name,Assistant's Phone,Company Yomi,Business Street,Home Street,Personal Web Page,Spouse,Schools,Hobby,Location,Web Page,Birthday,Anniversary,Notes"

const dana = { phone: E164, name: 'Dana Cohen' }

export const EXPORTS: ExportFixture[] = [
  {
    name: 'Google Contacts, old format',
    kind: 'contacts',
    csv: table(GOOGLE_OLD, {
      Name: 'Dana Cohen',
      'Given Name': 'Dana',
      'Family Name': 'Cohen',
      Notes: 'since 2019',
      'Group Membership': 'VIP ::: * myContacts',
      'E-mail 1 - Type': '* Home',
      'E-mail 1 - Value': 'dana@example.com ::: dana@work.example',
      'Phone 1 - Type': 'Mobile',
      'Phone 1 - Value': `${NUMBER} ::: 03-555-1234`,
      'Phone 2 - Type': 'Home',
      'Phone 2 - Value': '04-855-1234',
      'Organization 1 - Name': 'Cohen Ltd',
    }),
    expected: {
      ...dana,
      email: 'dana@example.com',
      note: 'since 2019',
      tags: ['VIP'],
      custom: {
        'phone 2': '+97235551234',
        'phone 3': '+97248551234',
        'email 2': 'dana@work.example',
        company: 'Cohen Ltd',
      },
    },
  },
  {
    name: 'Google Contacts, new format',
    kind: 'contacts',
    csv: `\ufeff${table(GOOGLE_NEW, {
      'First Name': 'Dana',
      'Last Name': 'Cohen',
      Labels: '* myContacts ::: לקוחות',
      'E-mail 1 - Label': '* Other',
      'E-mail 1 - Value': 'dana@example.com',
      'Phone 1 - Label': 'Mobile',
      'Phone 1 - Value': E164,
    })}`,
    expected: { ...dana, email: 'dana@example.com', tags: ['לקוחות'] },
  },
  {
    name: 'Outlook, desktop',
    kind: 'contacts',
    csv: table(OUTLOOK_DESKTOP, {
      'First Name': 'Dana',
      'Last Name': 'Cohen',
      Company: 'Cohen Ltd',
      "Assistant's Phone": '050-999-9999',
      'Business Fax': '03-555-9999',
      'Business Phone': '03-555-1234',
      'Mobile Phone': NUMBER,
      Categories: 'VIP;Haifa',
      'E-mail Address': 'dana@example.com',
      'E-mail Type': 'SMTP',
      'E-mail Display Name': 'Dana (dana@example.com)',
    }),
    expected: {
      ...dana,
      email: 'dana@example.com',
      tags: ['VIP', 'Haifa'],
      custom: { 'phone 2': '+97235551234', company: 'Cohen Ltd' },
    },
  },
  {
    name: 'Outlook on the web',
    kind: 'contacts',
    csv: table(OUTLOOK_WEB, {
      'First Name': 'Dana',
      'Last Name': 'Cohen',
      'E-mail Address': 'dana@example.com',
      'Mobile Phone': NUMBER,
      "Manager's Name": 'Somebody Else',
    }),
    expected: { ...dana, email: 'dana@example.com' },
  },
  {
    name: 'iCloud, by a vCard converter',
    kind: 'contacts',
    csv: table(
      'First name,Last name,Display name,Nickname,E-mail address,Home phone,Cell phone,Work phone,Fax,Organization,Notes',
      {
        'First name': 'Dana',
        'Last name': 'Cohen',
        'Display name': 'Dana Cohen',
        'Cell phone': NUMBER,
        'E-mail address': 'dana@example.com',
      },
    ),
    expected: { ...dana, email: 'dana@example.com' },
  },
  {
    name: 'a vCard’s own names',
    kind: 'contacts',
    csv: table(
      'FN;N;ORG;TEL;EMAIL;NOTE',
      { FN: 'Dana Cohen', TEL: NUMBER, EMAIL: 'dana@example.com', NOTE: 'hi' },
      ';',
    ),
    expected: { ...dana, email: 'dana@example.com', note: 'hi' },
  },
  {
    name: 'WhatsApp group and contact exporters',
    kind: 'contacts',
    csv: table(
      'Country Code,Country,Phone Number,Formatted Phone,Saved Name,Public Name,Is My Contact,Is Business,Labels',
      {
        'Country Code': '972',
        'Phone Number': '972501112233',
        'Formatted Phone': '+972 50-111-2233',
        'Saved Name': 'Dana Cohen',
        'Public Name': 'danush',
        Labels: 'New customer',
      },
    ),
    expected: { ...dana, tags: ['New customer'] },
  },
  {
    name: 'WhatsApp Business tools',
    kind: 'contacts',
    csv: table('Name,WhatsApp Number,Tags,Opted Out', {
      Name: 'Dana Cohen',
      'WhatsApp Number': '972501112233',
      Tags: 'a,b',
      'Opted Out': 'yes',
    }),
    expected: { ...dana, tags: ['a', 'b'], optedOut: true },
  },
  {
    name: 'HubSpot',
    kind: 'contacts',
    csv: table(
      'Record ID,First Name,Last Name,Email,Phone Number,Mobile Phone Number,Contact owner,Primary Associated Company ID,Associated Company,Lead Status,Create Date',
      {
        'Record ID': '151',
        'First Name': 'Dana',
        'Last Name': 'Cohen',
        Email: 'dana@example.com',
        'Phone Number': '03-555-1234',
        'Mobile Phone Number': NUMBER,
        'Contact owner': 'Yossi',
        'Create Date': '2024-05-03 10:20',
      },
    ),
    expected: { ...dana, email: 'dana@example.com', custom: { 'phone 2': '+97235551234' } },
  },
  {
    name: 'Zoho',
    kind: 'leads',
    csv: table(
      'Record Id,Lead Owner,Company,First Name,Last Name,Email,Phone,Mobile,Lead Source,Lead Status,Description,Created Time',
      {
        'Record Id': 'zcrm_5123',
        'Lead Owner': 'Yossi',
        'First Name': 'Dana',
        'Last Name': 'Cohen',
        Mobile: NUMBER,
        'Lead Status': 'Contacted',
        Description: 'called twice',
        'Created Time': '2024-05-03 10:20:00',
      },
    ),
    expected: { ...dana, stage: 'Contacted', note: 'called twice', date: '2024-05-03T10:20' },
  },
  {
    name: 'monday.com, with the board’s title above',
    kind: 'leads',
    csv: `Leads\r\nNew Leads\r\n${table('Name,Status,Phone,Email,Deal Value,Date', {
      Name: 'Dana Cohen',
      Status: 'Qualified',
      Phone: NUMBER,
      'Deal Value': '1200',
      Date: '2024-05-03',
    })}`,
    expected: { ...dana, stage: 'Qualified', valueAgorot: 120_000, date: '2024-05-03' },
  },
  {
    name: 'Salesforce',
    kind: 'leads',
    csv: table('FirstName,LastName,Company,MobilePhone,Email,Status,Rating', {
      FirstName: 'Dana',
      LastName: 'Cohen',
      MobilePhone: NUMBER,
      Status: 'New',
    }),
    expected: { ...dana, stage: 'New' },
  },
  {
    name: 'Pipedrive',
    kind: 'contacts',
    csv: table('Person - Name,Person - Phone,Person - Email,Person - Organization,Person - Labels', {
      'Person - Name': 'Dana Cohen',
      'Person - Phone': NUMBER,
      'Person - Email': 'dana@example.com',
    }),
    expected: { ...dana, email: 'dana@example.com' },
  },
  {
    name: 'a Hebrew spreadsheet with its title, marks and stars',
    kind: 'contacts',
    csv: [
      'רשימת לקוחות נכון ל-01.05.2024;;;;;',
      ';;;;;',
      `\u200fשם פרטי*;\u200fשם משפחה *;\u00a0טלפון נייד:;טל' בבית;דוא״ל;הערות`,
      `Dana;Cohen;\u202a${NUMBER}\u202c;04-855-1234;dana@example.com;לקוחה של עו"ד לוי בע"מ`,
      ';;;;;',
    ].join('\r\n'),
    expected: {
      ...dana,
      email: 'dana@example.com',
      note: 'לקוחה של עו"ד לוי בע"מ',
      custom: { 'phone 2': '+97248551234' },
    },
  },
  {
    name: 'a Hebrew list of leads',
    kind: 'leads',
    csv: table(
      "תאריך פנייה|שם הלקוח|מס' טלפון|מהות הפנייה|סטטוס|סכום",
      {
        'תאריך פנייה': '31/05/2024',
        'שם הלקוח': 'Dana Cohen',
        "מס' טלפון": NUMBER,
        'מהות הפנייה': 'תיקון מזגן',
        סטטוס: 'נוצר קשר',
        סכום: '1,234.50 ש"ח',
      },
      '|',
    ),
    expected: { ...dana, wish: 'תיקון מזגן', stage: 'נוצר קשר', valueAgorot: 123_450, date: '2024-05-31' },
  },
  {
    name: 'a Hebrew CRM, tabs',
    kind: 'contacts',
    csv: table(
      'שם איש קשר\tשם החברה\tסלולרי\tכתובת מייל\tתגיות',
      {
        'שם איש קשר': 'Dana Cohen',
        'שם החברה': 'כהן בע"מ',
        סלולרי: NUMBER,
        'כתובת מייל': 'dana@example.com',
        תגיות: 'vip|חדש',
      },
      '\t',
    ),
    expected: { ...dana, email: 'dana@example.com', tags: ['vip', 'חדש'] },
  },
]
