CREATE TABLE "erased_identities" (
	"kind" text NOT NULL,
	"fingerprint" text NOT NULL,
	"business_id" uuid NOT NULL,
	"erased_at" timestamp with time zone NOT NULL,
	"mention" text,
	CONSTRAINT "erased_identities_kind_fingerprint_business_id_pk" PRIMARY KEY("kind","fingerprint","business_id")
);
--> statement-breakpoint
CREATE TABLE "import_keys" (
	"business_id" uuid NOT NULL,
	"key" text NOT NULL,
	"lead_id" uuid,
	"contact_id" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "import_keys_business_id_key_pk" PRIMARY KEY("business_id","key")
);
--> statement-breakpoint
ALTER TABLE "imports" ADD COLUMN "existing" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "leads" ADD COLUMN "answered_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "erased_identities" ADD CONSTRAINT "erased_identities_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_keys" ADD CONSTRAINT "import_keys_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_keys" ADD CONSTRAINT "import_keys_lead_id_leads_id_fk" FOREIGN KEY ("lead_id") REFERENCES "public"."leads"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "import_keys" ADD CONSTRAINT "import_keys_contact_id_contacts_id_fk" FOREIGN KEY ("contact_id") REFERENCES "public"."contacts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "erased_identities_business" ON "erased_identities" USING btree ("business_id");--> statement-breakpoint
CREATE INDEX "erased_identities_named" ON "erased_identities" USING btree ("business_id") WHERE "erased_identities"."mention" is not null;--> statement-breakpoint
CREATE INDEX "erased_identities_age" ON "erased_identities" USING btree ("erased_at");--> statement-breakpoint
CREATE INDEX "import_keys_lead" ON "import_keys" USING btree ("lead_id");--> statement-breakpoint
CREATE INDEX "import_keys_contact" ON "import_keys" USING btree ("contact_id");