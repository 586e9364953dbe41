-- Nothing reads the audit by who acted, and every act paid for it with a page of its own.
DROP INDEX audit_actor;
