"""The model's text side: role graphs in, embeddings of event, actions and entities out."""
