payload = undefined;
